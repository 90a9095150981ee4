package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"footbridge/libs/httpx"
	"footbridge/schemas"
)

func serveOpenAPI(w http.ResponseWriter, r *http.Request) error {
	return writePublished(w, r, "application/json", schemas.OpenAPIJSON())
}

func serveAsyncAPI(w http.ResponseWriter, r *http.Request) error {
	return writePublished(w, r, "application/json", schemas.AsyncAPIJSON())
}

func serveFacts(w http.ResponseWriter, r *http.Request) error {
	return writePublished(w, r, "application/schema+json", schemas.FactsSchemaJSON())
}

// serveSchema gives the JSON Schema of an event type, asked for by its full name or without care.footbridge.
func serveSchema(w http.ResponseWriter, r *http.Request) error {
	name, found := strings.CutSuffix(r.PathValue("file"), ".json")
	if found && name == "facts" {
		return serveFacts(w, r)
	}
	if found && strings.TrimPrefix(name, schemas.TypePrefix) == schemas.PartnerSchemaType.File() {
		return writePublished(w, r, "application/schema+json", schemas.PartnerSchemaJSON())
	}
	if found && strings.TrimPrefix(name, schemas.TypePrefix) == schemas.ReferralUpdated.File() {
		return writePublished(w, r, "application/schema+json", schemas.ReferralSchemaJSON())
	}
	eventType := schemas.Type(schemas.TypePrefix + strings.TrimPrefix(name, schemas.TypePrefix))
	if _, known := schemas.Lookup(eventType); !found || !known {
		return httpx.NewProblem(http.StatusNotFound, "There is no event type of this name. /asyncapi.json lists them "+
			"all.")
	}
	return writePublished(w, r, "application/schema+json", schemas.SchemaJSON(eventType))
}

// writePublished answers with what is part of this binary, the same for everybody.
func writePublished(w http.ResponseWriter, r *http.Request, contentType string, content []byte) error {
	if len(content) == 0 {
		return httpx.NewProblem(http.StatusNotFound, "This description is not part of this build.")
	}
	hash := sha256.Sum256(content)
	header := w.Header()
	header.Set("Cache-Control", "public, max-age=300")
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	header.Set("Access-Control-Allow-Origin", "*")
	if httpx.NotModified(w, r, `"`+hex.EncodeToString(hash[:8])+`"`) {
		return nil
	}
	header.Set("Content-Type", contentType)
	_, _ = w.Write(content) // the caller has gone; nobody is left to tell
	return nil
}
