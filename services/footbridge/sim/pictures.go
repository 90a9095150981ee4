package sim

import (
	"fmt"
	"html"
	"maps"
	"slices"
	"strings"
)

// Pictures are SVG: no script, a title and a description for who does not see them, and colours that differ in
// lightness too. The table that says the same stands on the page.

// bandColours are for where people stand, in the order of Stands.
var bandColours = map[string]string{standsVoid: "#7a0019", standsStaff: "#b35900", standsAsked: "#e0b400",
	standsPartner: "#8fc3e8", standsMeeting: "#2a7ab8", standsCalls: "#5a4fa2", standsHold: "#9a9a9a",
	standsClosed: "#d9ead3"}

const (
	pictureWidth, pictureHeight              = 860, 360
	plotLeft, plotTop, plotRight, plotBottom = 60, 30, 620, 310
)

// picture is a drawing under way.
type picture struct{ strings.Builder }

func newPicture(title, description string) *picture {
	p := &picture{}
	fmt.Fprintf(p, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="t d" `+
		`font-family="sans-serif" font-size="13">`+"\n", pictureWidth, pictureHeight)
	fmt.Fprintf(p, "<title id=\"t\">%s</title>\n<desc id=\"d\">%s</desc>\n", html.EscapeString(title),
		html.EscapeString(description))
	fmt.Fprintf(p, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", pictureWidth, pictureHeight)
	return p
}

func (p *picture) text(x, y float64, anchor, words string) {
	fmt.Fprintf(p, `<text x="%.1f" y="%.1f" text-anchor="%s" fill="#212b32">%s</text>`+"\n", x, y, anchor,
		html.EscapeString(words))
}

func (p *picture) box(x, y, w, h float64, fill, says string) {
	fmt.Fprintf(p, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s" stroke="#ffffff" stroke-width="0.5">`+
		"<title>%s</title></rect>\n", x, y, w, h, fill, html.EscapeString(says))
}

// scale draws the lines of a plot that goes up to most, in steps that are round.
func (p *picture) scale(most float64, unit string) {
	step := roundStep(most / 5)
	for at := 0.0; at <= most; at += step {
		y := plotBottom - at/most*(plotBottom-plotTop)
		fmt.Fprintf(p, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#d8dde0"/>`+"\n", plotLeft, y, plotRight, y)
		p.text(plotLeft-8, y+4, "end", fmt.Sprintf("%g%s", at, unit))
	}
}

// roundStep is the next 1, 2 or 5 with noughts.
func roundStep(at float64) float64 {
	for step := 1.0; ; step *= 10 {
		for _, by := range []float64{1, 2, 5} {
			if step*by >= at {
				return step * by
			}
		}
	}
}

func (p *picture) done() string { return p.String() + "</svg>\n" }

// standsPicture shows where people stood at the end of each day.
func (r *Report) standsPicture() string {
	most := 1
	for _, d := range r.Days {
		sum := 0
		for _, n := range d.Counts {
			sum += n
		}
		most = max(most, sum)
	}
	last := map[string]int{}
	if n := len(r.Days); n > 0 {
		last = r.Days[n-1].Counts
	}
	p := newPicture("Where people stand, day by day",
		"Stacked columns, one a day, of how many journeys stand where. On the last day: "+inWords(last)+".")
	p.scale(float64(most), "")
	width := float64(plotRight-plotLeft) / float64(max(1, len(r.Days)))
	for i, d := range r.Days {
		y := float64(plotBottom)
		for _, s := range slices.Backward(Stands) {
			h := float64(d.Counts[s]) / float64(most) * (plotBottom - plotTop)
			if h > 0 {
				y -= h
				p.box(plotLeft+float64(i)*width, y, width, h, bandColours[s],
					fmt.Sprintf("%s: %s %d", d.Day, s, d.Counts[s]))
			}
		}
	}
	for i := 0; i < len(r.Days); i += max(1, len(r.Days)/5) {
		p.text(plotLeft+float64(i)*width, plotBottom+18, "start", r.Days[i].Day[5:])
	}
	for i, s := range Stands {
		p.box(plotRight+20, float64(plotTop+i*24), 14, 14, bandColours[s], s)
		p.text(plotRight+42, float64(plotTop+i*24+12), "start", s)
	}
	return p.done()
}

// inWords lists counts, the most first.
func inWords(counts map[string]int) string {
	var parts []string
	for _, one := range byCount(counts) {
		parts = append(parts, fmt.Sprintf("%s %d", one, counts[one]))
	}
	if len(parts) == 0 {
		return "nobody"
	}
	return strings.Join(parts, ", ")
}

// waitsPicture shows after how many hours half of those were reached who left in each hour of the day.
func (r *Report) waitsPicture() string {
	most, longest := 1.0, 0
	for hour, w := range r.Waits {
		if w.Hours > most {
			most, longest = w.Hours, hour
		}
	}
	p := newPicture("Hours until half of them were reached, by the hour in which they left",
		fmt.Sprintf(
			"Columns, one for each hour of the day. The longest is %.0f hours, of those who left at %d o'clock.",
			most, longest))
	p.scale(most, " h")
	width := float64(plotRight-plotLeft) / 24
	for hour, w := range r.Waits {
		h := w.Hours / most * (plotBottom - plotTop)
		if w.Reached > 0 {
			p.box(plotLeft+float64(hour)*width, plotBottom-h, width-2, h, "#2a7ab8",
				fmt.Sprintf("%02d:00: %d of %d reached, half of them within %.1f hours", hour, w.Reached, w.People,
					w.Hours))
		}
		if hour%3 == 0 {
			p.text(plotLeft+float64(hour)*width, plotBottom+18, "start", fmt.Sprintf("%02d", hour))
		}
	}
	p.text((plotLeft+plotRight)/2, plotBottom+40, "middle", "hour in which they left A&E")
	return p.done()
}

// unreachedPicture shows whom nobody reached, and why.
func (r *Report) unreachedPicture() string {
	p := newPicture("Whom nobody reached, and why", "Bars, one for each reason: "+inWords(r.Unreached)+".")
	most := 1
	for n := range maps.Values(r.Unreached) {
		most = max(most, n)
	}
	for i, why := range byCount(r.Unreached) {
		y := float64(plotTop + i*30)
		p.text(300, y+14, "end", why)
		p.box(310, y, float64(r.Unreached[why])/float64(most)*(plotRight-310), 20, "#b35900",
			fmt.Sprintf("%s: %d", why, r.Unreached[why]))
		p.text(316+float64(r.Unreached[why])/float64(most)*(plotRight-310), y+14, "start", fmt.Sprint(r.Unreached[why]))
	}
	if len(r.Unreached) == 0 {
		p.text(pictureWidth/2, pictureHeight/2, "middle", "Everybody who could be reached by now was.")
	}
	return p.done()
}
