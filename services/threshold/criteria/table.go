package criteria

import (
	"fmt"
	"strings"

	"footbridge/schemas"
)

var eligibilityWords = map[schemas.Eligibility]string{
	schemas.Eligible:    "open",
	schemas.EligibleIf:  "open if",
	schemas.TalkAbout:   "to be talked about",
	schemas.NotEligible: "not currently open",
}

// Table writes a decision for a terminal, 100 columns wide: each door with its reasons in the service's own words,
// then the gap, and what to ask first.
func (d Decision) Table() string {
	var b strings.Builder
	names := make(map[string]string, len(d.Eligibilities))
	for _, state := range []schemas.Eligibility{schemas.Eligible, schemas.TalkAbout, schemas.EligibleIf,
		schemas.NotEligible} {
		for _, door := range d.Eligibilities {
			names[door.Service] = door.Name
			if door.Eligibility == state {
				d.writeEligibility(&b, door)
			}
		}
	}
	d.writeGap(&b)
	if len(d.Questions) > 0 {
		b.WriteString("\nWhat to ask, what opens most first\n")
		for _, q := range d.Questions {
			fmt.Fprintf(&b, "  %-60s %d services\n", q.Asks, len(q.Services))
		}
	}
	for _, id := range d.AskFirst {
		fmt.Fprintf(&b, "\nAsk first: %s, who is with the person already\n", nameOr(names, id))
	}
	fmt.Fprintf(&b, "\nIf nobody else can: %s\n", nameOr(names, d.LastResort[0]))
	fmt.Fprintf(&b, "Criteria of version %.12s, looked at on %s\n", d.Directory, d.Today)
	return b.String()
}

func nameOr(names map[string]string, id string) string {
	if name := names[id]; name != "" {
		return name
	}
	return id
}

func (d Decision) writeEligibility(b *strings.Builder, door schemas.ServiceEligibility) {
	words := eligibilityWords[door.Eligibility]
	if door.Waiting {
		words = "waiting on its list"
	}
	fmt.Fprintf(b, "%-48s %-14s %s\n", door.Name, door.Sector, words)
	for _, because := range door.Because {
		writeWrapped(b, "    ", fmt.Sprintf("“%s”", because.Words))
		fmt.Fprintf(b, "      %s, checked %s\n", because.Source, because.CheckedOn)
	}
	for _, row := range d.Matrix {
		if row.Service == door.Service && row.Ask != "" && door.Eligibility == schemas.TalkAbout {
			fmt.Fprintf(b, "      Ask %s.\n", row.Ask)
		}
	}
	for _, near := range d.Near {
		if near.Service == door.Service {
			fmt.Fprintf(b, "      Would open on %s: a reason to ask them now (for staff).\n", near.On)
		}
	}
}

func (d Decision) writeGap(b *strings.Builder) {
	if d.Gap == nil {
		return
	}
	heading := "No statutory service is open"
	if d.Gap.Probable {
		heading = "Probably no statutory service is open"
	}
	fmt.Fprintf(b, "\n%s\n", heading)
	for _, side := range d.Gap.Sides {
		fmt.Fprintf(b, "  %s\n", side.Name)
		writeWrapped(b, "    ", fmt.Sprintf("“%s”", side.Words))
		fmt.Fprintf(b, "      %s, %s\n", side.Source, side.CheckedOn)
	}
}

func writeWrapped(b *strings.Builder, indent, text string) {
	line := indent
	for _, word := range strings.Fields(text) {
		if len(line)+len(word) >= 100 {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = indent
		}
		line += word + " "
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}
