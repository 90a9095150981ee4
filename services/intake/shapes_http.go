package intake

import (
	"reflect"

	"footbridge/libs/httpx"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

// Shapes are what the routes read and answer; those under /fhir as FHIR has them.
func Shapes() map[string]httpx.Shape {
	events := httpx.ShapeOf[httpx.None, eventAnswer](202)
	events.Also = map[int]string{200: "A batch: an answer for each event, never all or nothing."}
	referral := httpx.ShapeOf[schemas.ReferralSubmittedData, referralAnswer](202)
	referral.Filled = []string{"organisation", "referral", "route"}
	referral.Or = reflect.TypeFor[received]() // to whoever asks for themselves
	list := httpx.Takes[string, listAnswer]()
	list.ReadsMedia = "text/csv"
	page := httpx.Takes[schemas.OwnPageRecord, ownPageShown]()
	page.Also = map[int]string{201: "Made: the code is told in this answer alone."}
	erase := httpx.Takes[eraseRequest, Erased]()
	erase.Also = map[int]string{202: "Asked for; another person confirms that request."}
	erase.Or = reflect.TypeFor[eraseAsked]()
	return map[string]httpx.Shape{
		"POST /events":                           events,
		"GET /api/messages":                      httpx.Gives[httpx.List[LedgerLine]](),
		"GET /api/messages/{id}":                 httpx.Gives[messageShown](),
		"POST /api/messages/{id}/release":        httpx.Takes[releaseEdits, LedgerLine](),
		"POST /api/messages/{id}/dismiss":        httpx.Gives[LedgerLine](),
		"GET /api/messages/{id}/content":         httpx.Gives[messageTaken](),
		"POST /api/messages/search":              httpx.Takes[messageSearch, messagesFound](),
		"POST /api/messages/{id}/dry-run":        httpx.Takes[dryRunAsked, dryRunShown](),
		"POST /api/messages/{id}/read-again":     httpx.Gives[LedgerLine](),
		"GET /api/facilities":                    httpx.Gives[httpx.List[FacilityLine]](),
		"POST /api/facilities/{id}/place":        httpx.Takes[placing, placedShown](),
		"POST /api/facilities/{id}/unplace":      httpx.Takes[unplacing, placedShown](),
		"POST /api/referrals":                    referral,
		"POST /api/referrals/list":               list,
		"POST /api/signals":                      httpx.ShapeOf[signalSent, signalAnswer](202),
		"POST /api/people/{ref}/contact-stopped": httpx.Takes[stopRequest, stopAnswer](),
		"POST /api/people/{ref}/contact-resumed": httpx.Takes[stopRequest, stopAnswer](),
		"GET /api/journeys/{id}/consent":         httpx.Gives[consentsShown](),
		"POST /api/journeys/{id}/consent":        httpx.Takes[consentRequest, consentsShown](),
		"POST /api/journeys/{id}/contact":        httpx.Takes[record.Card, cardShown](),
		"POST /api/journeys/{id}/preferences":    httpx.Takes[record.Preferences, cardShown](),
		"POST /api/journeys/{id}/summary":        httpx.Takes[schemas.SummaryRecord, summaryKept](),
		"POST /api/journeys/{id}/correction":     httpx.Takes[schemas.CorrectionRecord, correctedShown](),
		"POST /api/journeys/{id}/facts":          httpx.Takes[schemas.FactsRecord, factsKept](),
		"GET /api/journeys/{id}/identity":        httpx.Gives[identityShown](),
		"GET /api/journeys/{id}/own-page":        httpx.Gives[ownPageShown](),
		"POST /api/journeys/{id}/own-page":       page,
		"POST /api/journeys/{id}/letter":         httpx.Takes[schemas.LetterPrinted, letterKept](),
		"GET /api/calls/{id}/person":             httpx.Gives[callPerson](),
		"GET /api/people/{ref}/access":           httpx.Gives[httpx.List[AccessLogEntry]](),
		"GET /api/journeys/{id}/access":          httpx.Gives[httpx.List[AccessLogEntry]](),
		"POST /api/people/search":                httpx.Takes[searchRequest, searchAnswer](),
		"GET /api/people/searches":               httpx.Gives[httpx.List[SearchLine]](),
		"POST /api/people/searches/review":       httpx.Takes[schemas.SearchReviewRecord, searchesReviewed](),
		"POST /api/people/{ref}/merge":           httpx.Takes[mergeRequest, mergeShown](),
		"POST /api/people/{ref}/unmerge":         httpx.Takes[mergeRequest, mergeShown](),
		"POST /api/people/{ref}/legal-hold":      httpx.Takes[legalHoldAsked, legalHoldShown](),
		"POST /api/people/{ref}/erase":           erase,
	}
}

// signalSent is a signal in its publisher's form, as it is described: reading.ReadSignal takes it apart member by
// member, since it may have no others.
type signalSent struct {
	SpecVersion string `json:"specversion"`
	// ID is the publisher's; sent again with the same source and content it counts once.
	ID     string `json:"id"`
	Source string `json:"source"`
	// Type is the kind of signal with its version, such as pds-death-notification-2.
	Type string `json:"type"`
	Time string `json:"time"`
	// Subject is the NHS number that it is about.
	Subject string `json:"subject,omitempty"`
	// DataRef is where the publisher gives more; nothing is fetched from there.
	DataRef string `json:"dataref,omitempty"`
	// VersionID is the version of what has changed; it is not looked at.
	VersionID string `json:"versionid,omitempty"`
	// Filtering is what the publisher filtered by; it is not looked at.
	Filtering map[string]any `json:"filtering,omitempty"`
}
