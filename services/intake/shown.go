package intake

import (
	"cmp"
	"encoding/hex"
	"footbridge/services/intake/reading"
	"footbridge/services/intake/record"
	"strings"
)

// isApplication and isSource: a sender that a profile names is shown as it is.
func (s *Service) isApplication(text string) bool {
	return text == "" || s.profiles.BySender[text] != nil || reading.LooksCoded(reading.ApplicationText, text, 14)
}

func (s *Service) isSource(text string) bool {
	return text == "" || s.profiles.BySender[text] != nil || reading.LooksCoded(reading.SourceText, text, 14)
}

// senderShown is how a sender stands in the ledger, for whoever looks for it by the name it sends.
func (s *Service) senderShown(sender string) (string, error) {
	if s.isApplication(sender) || s.isSource(sender) || strings.HasPrefix(sender, "form ") {
		return sender, nil
	}
	hash, err := s.lookup("header", sender)
	return unknownName([]byte(hash)), err
}

// showHeader leaves in an arrival's header only what may be seen, for whichever door it came through. A form's sender
// and organisation are the principal's own.
func (s *Service) showHeader(a *inboundMessage) error {
	profile := s.profiles.For(a.Sender)
	var err error
	hide := func(text string, hidden func(hash []byte) string) string {
		var hash string
		if hash, err = s.lookup("header", text); err != nil {
			return ""
		}
		return hidden([]byte(hash))
	}
	if (a.endpoint == record.EndpointMLLP && !s.isApplication(a.Sender)) ||
		(a.endpoint != record.EndpointMLLP && a.endpoint != record.EndpointForm && !s.isSource(a.Sender)) {
		a.Sender = hide(a.Sender, unknownName)
	}
	facility := func(spelt string) string {
		code := s.placedAs(profile, spelt)
		if a.endpoint == record.EndpointMLLP && code != "" && code != profile.Organisation &&
			!reading.IsFacility(code) {
			return hide(cmp.Or(bareName(code), code), unknownFacility)
		}
		return code
	}
	a.Organisation = facility(a.Organisation)
	if a.ClinicalEvent != nil {
		a.ClinicalEvent.Organisation, a.ClinicalEvent.Numbers = facility(a.ClinicalEvent.Organisation),
			facility(a.ClinicalEvent.Numbers)
	}
	if a.ControlID != "" && (a.repeatsNumber || !reading.IsControlID(a.ControlID)) {
		a.ControlID = hide(a.ControlID, unknownName)
	}
	return err
}

// unknownName is what stands in the place of a text that may not be seen.
func unknownName(hash []byte) string { return "unknown-" + hex.EncodeToString(hash[:8]) }

// unknownFacility is unknownName in the form of an organisation's code, since it goes into events.
func unknownFacility(hash []byte) string { return "X" + strings.ToUpper(hex.EncodeToString(hash[:5])) }
