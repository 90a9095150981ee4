package sim

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// row is a day in the table of where people stood.
type row struct {
	Day     string
	Numbers []int
}

// page is the report as one page of HTML, with its pictures in it.
func (r *Report) page() ([]byte, error) {
	var rows []row
	for _, d := range r.Days {
		one := row{Day: d.Day}
		for _, s := range Stands {
			one.Numbers = append(one.Numbers, d.Counts[s])
		}
		rows = append(rows, one)
	}
	var text bytes.Buffer
	err := pageTemplate.Execute(&text, struct {
		*Report
		Bands                              []string
		Rows                               []row
		Stands, WaitsDrawn, UnreachedDrawn template.HTML
	}{r, Stands, rows, inline(r.standsPicture(), "stands"), inline(r.waitsPicture(), "waits"),
		inline(r.unreachedPicture(), "unreached")})
	return text.Bytes(), err
}

// inline is a picture within a page, where ids are for the whole page. It is ours, and what it says is escaped.
func inline(svg, name string) template.HTML {
	for _, id := range []string{"t", "d"} {
		svg = string(bytes.ReplaceAll([]byte(svg), fmt.Appendf(nil, "id=%q", id),
			fmt.Appendf(nil, "id=%q", name+"-"+id)))
	}
	return template.HTML(bytes.ReplaceAll([]byte(svg), []byte(`"t d"`), fmt.Appendf(nil, `"%[1]s-t %[1]s-d"`, name)))
}

// write writes summary, page and pictures into a folder.
func (r *Report) write(dir string) error {
	summary, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	page, err := r.page()
	if err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	for name, content := range map[string][]byte{"summary.json": append(summary, '\n'), "page.html": page,
		"stands.svg": []byte(r.standsPicture()), "waits.svg": []byte(r.waitsPicture()),
		"unreached.svg": []byte(r.unreachedPicture())} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	if r.timeline == nil {
		return nil
	}
	return r.timeline.write(dir, r.zone)
}
