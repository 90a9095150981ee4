package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"footbridge/libs/httpx"
	"footbridge/libs/operations"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// The operators' page: how it stands, from the figures of libs/operations, which GET /api/operations gives as data. It
// hears how they stand every few seconds while it is open, and without scripts it says as of when it is.

// operationsPath is where it is.
const operationsPath = "/operations"

// figured are the services that answer for themselves.
var figured = []string{schemas.Intake, schemas.Threshold, schemas.Followup, schemas.Bridging, schemas.Journey,
	schemas.Delivery}

// report asks every service for its figures, as whoever asks.
func (s *Console) report(ctx context.Context, p principal.Principal, charts bool) operations.Report {
	path := operations.FiguresPath
	if charts {
		path += "?charts=true"
	}
	return operations.Gather(ctx, figured, s.config.Clock.Now(), p.Role == string(schemas.Operator),
		func(ctx context.Context, service string) (a operations.Answer, err error) {
			return a, s.client.get(ctx, p, service, path, &a)
		})
}

// giveOperations is GET /api/operations.
func (s *Console) giveOperations(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	report := s.report(r.Context(), p, r.URL.Query().Get("charts") == "true")
	return httpx.WriteJSON(w, http.StatusOK, report)
}

// Shapes are what the console's own paths of the API read and answer.
func Shapes() map[string]httpx.Shape {
	return map[string]httpx.Shape{
		"GET /api/operations":          httpx.Gives[operations.Report](),
		"POST /api/operations/redrive": httpx.Takes[operations.Redriven, operations.Redriven](),
	}
}

// redriveByAPI is POST /api/operations/redrive.
func (s *Console) redriveByAPI(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	asked, _, err := httpx.ReadJSON[operations.Redriven](w, r, 4<<10)
	if err != nil {
		return err
	}
	done, err := s.redrive(r.Context(), p, asked)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, done)
}

// redrive has a service put one of its dead letters back in line.
func (s *Console) redrive(ctx context.Context, p principal.Principal, asked operations.Redriven) (
	done operations.Redriven, err error) {
	for _, service := range figured {
		if service == asked.Service {
			err = s.client.call(ctx, p, service, http.MethodPost, operations.RedrivePath, "", asked, &done)
			return done, err
		}
	}
	return done, httpx.NewProblem(http.StatusNotFound, "No service of that name has dead letters.")
}

// showOperations shows how it stands.
func (s *Console) showOperations(w http.ResponseWriter, r *http.Request) error {
	return s.operationsPage(w, r, http.StatusOK)
}

func (s *Console) operationsPage(w http.ResponseWriter, r *http.Request, status int, problems ...problemView) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	page := s.viewOperations(p, s.report(r.Context(), p, true))
	return s.show(w, r, status, "operations", view{Title: "How it stands", Here: operationsPath, Problems: problems,
		Done: redrivenWords[r.URL.Query().Get("said")], Page: page})
}

var redrivenWords = map[string]string{
	"redriven": "Thank you. It is tried again now; if it fails once more, it comes back here.",
}

// redriveForm puts a dead letter back in line by the button beside it.
func (s *Console) redriveForm(w http.ResponseWriter, r *http.Request) error {
	p, err := posted(w, r)
	if err != nil {
		return err
	}
	_, err = s.redrive(r.Context(), p, operations.Redriven{Service: r.PostFormValue("service"),
		ID: r.PostFormValue("letter")})
	var problem *httpx.Problem
	if errors.As(err, &problem) && problem.Status == http.StatusNotFound {
		return s.operationsPage(w, r, http.StatusConflict, problemView{"It is no dead letter any more: somebody may " +
			"have put it back in line meanwhile", "dead-letters"})
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, operationsPath+"?"+url.Values{"said": {"redriven"}}.Encode(), http.StatusSeeOther)
	return nil
}

// operationsEvery is how often an open page hears how the figures stand.
const operationsEvery = 10 * time.Second

// operationsNews gives the figures as they stand, as they are shown on the page, each time that they are others.
func (s *Console) operationsNews(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	return s.stream(w, r, "figures", operationsEvery, func() (string, error) {
		return s.operationsPart(r.Context(), p)
	})
}

// operationsPart is the part of the page that changes, in one line.
func (s *Console) operationsPart(ctx context.Context, p principal.Principal) (string, error) {
	var part bytes.Buffer
	page := s.viewOperations(p, s.report(ctx, p, false))
	if err := s.pages["operations"].ExecuteTemplate(&part, "figures", page); err != nil {
		return "", fmt.Errorf("making the figures: %w", err)
	}
	text, err := json.Marshal(string(markForms(part.Bytes(), p)))
	return string(text), err
}
