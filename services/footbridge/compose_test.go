package main

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"footbridge/libs/service"
	"footbridge/schemas"
)

type composed struct {
	Command     []string
	Environment map[string]string
	Secrets     []string
	Volumes     []string
	Networks    []string
	Healthcheck map[string]any
	DependsOn   map[string]map[string]string `yaml:"depends_on"`
	Image       string
}

// The compose file has a process for each service that there is, each with its own key, database login, port and health
// check, and with no setting that there is not; what the services have come to need is there too.
func TestTheComposeFileIsOfTheServicesThereAre(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../deploy/compose/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]composed
		Secrets  map[string]map[string]string
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	defaults := &addrs{}
	if _, err := service.Load(defaults, service.Sources{Prefix: prefix, Environ: []string{}}); err != nil {
		t.Fatal(err)
	}
	ours := map[string]bool{}
	for name, s := range file.Services {
		if s.Image == "footbridge" {
			ours[name] = true
		}
	}
	want := append(serviceNames(), sentinelName, "streams", "migrate")
	if got := slices.Sorted(maps.Keys(ours)); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("there are %v, want %v", got, want)
	}
	postgres := file.Services["postgres"].Environment
	for _, name := range serviceNames() {
		s := file.Services[name]
		if !slices.Equal(s.Command, []string{"serve", "--only", name}) || !slices.Contains(s.Secrets, name+".key") {
			t.Errorf("%s runs %v with %v", name, s.Command, s.Secrets)
		}
		upper := strings.ToUpper(name)
		_, login := s.Environment["FOOTBRIDGE_"+upper+"_DATABASE_URL"]
		if stored := slices.Contains(withSchema(), name); stored != login || stored != (postgres["DB_"+upper] != "") {
			t.Errorf("%s has a schema (%v), its login (%v), and PostgreSQL's password for it %q", name, stored, login,
				postgres["DB_"+upper])
		}
		if addr := defaults.of(name); addr != "" {
			_, port, _ := net.SplitHostPort(addr)
			if got := s.Environment["FOOTBRIDGE_"+upper+"_ADDR"]; got != "0.0.0.0:"+port {
				t.Errorf("%s listens on %q, not on its port %s", name, got, port)
			}
			for _, other := range serviceNames() {
				if got := file.Services[other].Environment["FOOTBRIDGE_"+upper+"_ADDR"]; other != name &&
					got != name+":"+port {
					t.Errorf("%s finds %s at %q", other, name, got)
				}
			}
		}
	}
	for name, s := range file.Services {
		for _, secret := range s.Secrets {
			if file.Secrets[secret] == nil {
				t.Errorf("%s has the secret %s, which is nowhere", name, secret)
			}
			if key, is := strings.CutSuffix(secret, ".key"); is && key != name &&
				(key != "owner" || name != "streams") {
				t.Errorf("%s has the key of %s", name, key)
			}
		}
		if ours[name] && name != "migrate" &&
			(s.Healthcheck["test"] == nil || s.DependsOn["migrate"]["condition"] != "service_completed_successfully" ||
				!slices.Contains(s.Secrets, "public.json")) {
			t.Errorf("%s: health check %v, after %v, with %v", name, s.Healthcheck, s.DependsOn, s.Secrets)
		}
		if !slices.Contains(s.Networks, "inside") ||
			slices.Contains(s.Networks, "outside") != slices.Contains([]string{schemas.Intake, schemas.Gateway,
				schemas.Bridging, schemas.Delivery}, name) {
			t.Errorf("%s is on %v", name, s.Networks)
		}
		if ours[name] {
			isConfiguration(t, name, s.Environment)
		}
	}
	for _, w := range (&Config{}).wrappings() {
		if s := file.Services[w.Service]; !slices.Contains(s.Secrets, filepath.Base(w.Path)) {
			t.Errorf("%s has no %s: %v", w.Service, filepath.Base(w.Path), s.Secrets)
		}
	}
	asks := file.Services["collector-health"].Healthcheck["test"]
	if !strings.Contains(fmt.Sprint(asks), "//collector:") {
		t.Errorf("nobody asks the collector whether it runs: %v", asks)
	}
	for _, name := range []string{schemas.Gateway, schemas.Console} {
		s := file.Services[name]
		if s.Environment[prefix+"SIGN_IN_FILE"] != "${FOOTBRIDGE_SIGN_IN_FILE:-}" ||
			!slices.Contains(s.Volumes, "./sign-in:/etc/footbridge/sign-in:ro") {
			t.Errorf("%s is not given the sign-in file: %v", name, s.Volumes)
		}
		const secrets = "./sign-in-secrets:/etc/footbridge/sign-in-secrets:ro"
		if slices.Contains(s.Volumes, secrets) != (name == schemas.Gateway) {
			t.Errorf("%s and what is secret of signing in: %v", name, s.Volumes)
		}
	}
	for _, needed := range []string{"SMTP_URL", "MAIL_FROM", "PAGE_SECRET", "URL", "ORGANISATION", "NAVIGATOR"} {
		if _, there := file.Services[schemas.Bridging].Environment[prefix+needed]; !there {
			t.Errorf("bridging is not told FOOTBRIDGE_%s", needed)
		}
	}
	for _, needed := range []string{"SMTP_URL", "SMTP_USER", "SMTP_PASSWORD", "MAIL_FROM", "MAIL_RETURN", "URL",
		"NAVIGATOR_TOLD"} {
		if _, there := file.Services[schemas.Delivery].Environment[prefix+needed]; !there {
			t.Errorf("delivery is not told FOOTBRIDGE_%s", needed)
		}
	}
}

var insertion = regexp.MustCompile(`\$\{([A-Z_]+)(:[-?]([^}]*))?\}`)

// isConfiguration loads a service's environment, with what is to be filled in filled in: a setting that is none is
// refused.
func isConfiguration(t *testing.T, name string, environment map[string]string) {
	t.Helper()
	var env []string
	for setting, value := range environment {
		filled := insertion.ReplaceAllStringFunc(value, func(one string) string {
			parts := insertion.FindStringSubmatch(one)
			if strings.HasPrefix(parts[2], ":-") {
				return parts[3]
			}
			return map[string]string{"FOOTBRIDGE_URL": "https://footbridge.example"}[parts[1]] +
				map[bool]string{true: "x"}[parts[1] != "FOOTBRIDGE_URL"]
		})
		env = append(env, fmt.Sprintf("%s=%s", setting, filled))
	}
	var o options[struct{}]
	loaded, err := service.Load(&o, service.Sources{Prefix: prefix, Environ: env, Elsewhere: elsewhere})
	if err != nil || len(loaded.Warnings) > 0 {
		t.Errorf("%s: %v %v", name, err, loaded.Warnings)
	}
}
