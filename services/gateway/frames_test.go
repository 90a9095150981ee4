package gateway

import (
	"bytes"
	"html/template"
	"regexp"
	"strings"
	"testing"
)

var loaded = regexp.MustCompile(`(?:href|src)="(/assets/[^"]*)"`)

// Whatever page the gateway answers with by itself, it loads the files of one version, which a browser keeps for good.
func TestTheGatewaysOwnPagesLoadTheFilesOfOneVersion(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) {
		c.Asset = func(name string) string { return "/assets/0123456789abcdef/" + name }
	})
	check := func(name, page string) {
		found := loaded.FindAllStringSubmatch(page, -1)
		if len(found) < 2 {
			t.Errorf("%s loads %v: %s", name, found, page)
		}
		for _, file := range found {
			if !strings.HasPrefix(file[1], "/assets/0123456789abcdef/") {
				t.Errorf("%s loads %s", name, file[1])
			}
		}
	}
	for _, path := range []string{"/nowhere", "/sessions", "/journeys"} {
		check(path, f.ask(t, "GET", path, "", &nurse, "Accept", browser).Body.String())
	}
	for _, one := range []struct {
		page *template.Template
		view any
	}{{f.frames.signIn, signInOver}, {f.frames.knock, knocked{Title: "A title", Options: "{}"}}} {
		var text bytes.Buffer
		ok(t, one.page.Execute(&text, one.view))
		check("a page of signing in", text.String())
	}
}
