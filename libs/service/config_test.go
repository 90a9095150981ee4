package service_test

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"footbridge/libs/service"
)

type network struct {
	MLLPAddr string `env:"MLLP_ADDR" default:"127.0.0.1:2575" as:"hostport" help:"where HL7 v2 comes in"`
	Allow    bool   `env:"ALLOW_OPEN" help:"opens addresses without TLS"`
}

type settings struct {
	DatabaseURL string            `env:"DATABASE_URL" as:"url" required:"true" help:"PostgreSQL"`
	Each        map[string]string `env:"*_DATABASE_URL" as:"url" help:"PostgreSQL of one service"`
	MLLPAddr    string            `env:"MLLP_ADDR" default:"127.0.0.1:2575" as:"hostport" help:"where HL7 v2 comes in"`
	Token       service.Secret    `env:"API_TOKEN" help:"shared with the sender"`
	Allow       bool              `env:"ALLOW_OPEN" help:"opens addresses without TLS"`
	Batch       int               `env:"BATCH" default:"256"`
	Ratio       float64           `env:"RATIO"`
	Wait        time.Duration     `env:"WAIT" default:"5s"`
	Only        []string          `env:"ONLY"`
	Level       string            `env:"LEVEL" default:"info" as:"oneof=debug|info"`
	Web         struct {
		Workers int `env:"WORKERS" default:"2"`
	} `prefix:"WEB_"`
}

func from(environ []string, args ...string) service.Sources {
	return service.Sources{Prefix: "FOOTBRIDGE_", Environ: append([]string{"HOME=/"}, environ...), Args: args,
		Elsewhere: []string{"STATE_DIR"}, ReadFile: func(name string) ([]byte, error) {
			if name == "/run/token" {
				return []byte("from-file\n"), nil
			}
			return nil, fs.ErrNotExist
		}}
}

const url = "FOOTBRIDGE_DATABASE_URL=postgres://footbridge:geheim@127.0.0.1/footbridge"

func TestAFlagWinsOverAVariableOverTheDefault(t *testing.T) {
	t.Parallel()
	var c settings
	l, err := service.Load(&c, from([]string{url, "FOOTBRIDGE_BATCH=100", "FOOTBRIDGE_WAIT=1m", "FOOTBRIDGE_LEVEL=",
		"FOOTBRIDGE_API_TOKEN_FILE=/run/token", "FOOTBRIDGE_WEB_DATABASE_URL=postgres://i:p@h/f"},
		"one", "--batch", "7", "--only=a, b", "--allow-open", "--web-workers=9", "--ratio=0.5", "--", "--two"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Batch != 7 || c.Wait != time.Minute || c.MLLPAddr != "127.0.0.1:2575" || string(c.Token) != "from-file" ||
		!c.Allow ||
		c.Level != "info" || c.Ratio != 0.5 || c.Web.Workers != 9 || !slices.Equal(c.Only, []string{"a", "b"}) ||
		c.Each["web"] != "postgres://i:p@h/f" {
		t.Errorf("got %+v", c)
	}
	if !slices.Equal(l.Args, []string{"one", "--two"}) || len(l.Warnings) != 0 {
		t.Errorf("got %v, %v", l.Args, l.Warnings)
	}
}

func TestEveryMistakeIsOneLineThatSaysWhatToUse(t *testing.T) {
	t.Parallel()
	var c settings
	_, err := service.Load(&c, from([]string{"FOOTBRIDGE_MLLP_ADDR=x", "FOOTBRIDGE_BATCH=many", "FOOTBRIDGE_WAIT=5",
		"FOOTBRIDGE_LEVEL=loud",
		"FOOTBRIDGE_API_TOKEN_FILE=/nowhere", "FOOTBRIDGE_ALLOW_OPEN=maybe", "FOOTBRIDGE_WEB_DATABASE_URL=geheim"},
		"--bach=3", "--ratio"))
	if service.ExitCode(err) != 2 {
		t.Fatalf("got %v", err)
	}
	lines := strings.Split(err.Error(), "\n")
	for _, want := range []string{
		"FOOTBRIDGE_MLLP_ADDR: 'x' is not host:port; use for example 127.0.0.1:2575",
		"FOOTBRIDGE_BATCH: 'many' is not a whole number; use for example 256",
		"FOOTBRIDGE_WAIT: '5' is not a duration; use for example 30s, 5m or 1h30m",
		"FOOTBRIDGE_LEVEL: 'loud' is not one of its values; use one of debug, info",
		"FOOTBRIDGE_ALLOW_OPEN: 'maybe' is neither true nor false; use one of them",
		"FOOTBRIDGE_API_TOKEN_FILE: the file cannot be read (file does not exist); give the path of a file that " +
			"holds only the secret",
		"--bach is not a flag here; did you mean --batch?; --help lists them",
		"--ratio needs a value: --ratio=…",
		"FOOTBRIDGE_DATABASE_URL is not set: set it, or give --database-url (PostgreSQL)",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("no line %s", want)
		}
	}
	if len(lines) != 10 || strings.Contains(err.Error(), "geheim") {
		t.Errorf("got %d lines:\n%v", len(lines), err)
	}
}

func TestUnknownVariablesAreWarnedAbout(t *testing.T) {
	t.Parallel()
	var c settings
	l, err := service.Load(&c, from([]string{url, "FOOTBRIDGE_MLLP_ADR=1.2.3.4:5", "FOOTBRIDGE_ZZZZZZZZ=1",
		"FOOTBRIDGE_STATE_DIR=x", "FOOTBRIDGEX=1"}))
	want := []string{"FOOTBRIDGE_MLLP_ADR is not a setting and is ignored; did you mean FOOTBRIDGE_MLLP_ADDR?",
		"FOOTBRIDGE_ZZZZZZZZ is not a setting and is ignored"}
	if err != nil || !slices.Equal(l.Warnings, want) {
		t.Errorf("got %q, %v", l.Warnings, err)
	}
}

func TestNothingPrintedHoldsASecret(t *testing.T) {
	t.Parallel()
	var c settings
	l, err := service.Load(&c, from([]string{url, "FOOTBRIDGE_API_TOKEN=geheim",
		"FOOTBRIDGE_WEB_DATABASE_URL=postgres://i:geheim@h/f?sslpassword=geheim"}, "--print-config"))
	if err != nil || !l.PrintConfig {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := errors.Join(l.Print(&out), l.Usage(&out)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&out, "%v %+v %#v %s", c.Token, c.Token, c.Token, c.Token)
	if strings.Contains(out.String(), "geheim") {
		t.Error(out.String())
	}
	for _, want := range []string{"FOOTBRIDGE_WEB_DATABASE_URL", "postgres://footbridge:********@127.0.0.1/footbridge",
		"# FOOTBRIDGE_API_TOKEN", "# default", "--database-url", "(required)"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in\n%s", want, out.String())
		}
	}
}

func TestHelpNeedsNothingSet(t *testing.T) {
	t.Parallel()
	var c settings
	if l, err := service.Load(&c, from(nil, "--help")); err != nil || !l.Help {
		t.Errorf("got %v", err)
	}
}

func TestEmbeddedSettingsAreReadInPlace(t *testing.T) {
	t.Parallel()
	c := struct {
		Network network
		Other   network `prefix:"OTHER_"`
	}{}
	if _, err := service.Load(&c, from(nil, "--mllp-addr=h:1", "--other-mllp-addr=h:2")); err != nil ||
		c.Network.MLLPAddr != "h:1" || c.Other.MLLPAddr != "h:2" {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestPasswordsInURLsAreMasked(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"postgres://u:p@ss@h/d":                     "postgres://u:********@h/d",
		"nats://a:b@h:1,nats://c:d@i:2":             "nats://a:********@h:1,nats://c:********@i:2",
		"nats://SUAOTOKENTOKENTOKENTOKEN@h":         "nats://********@h",
		"postgres://u:p,s/s@h/d":                    "postgres://u:********@h/d",
		"nats://:pw@h":                              "nats://:********@h",
		"host=h password=p user=u":                  "host=h password=******** user=u",
		"host=h password='p q' user=u":              "host=h password=******** user=u",
		"https://h/x?token=abc&y=1":                 "https://h/x?token=********&y=1",
		"postgres:///f?host=/run&user=x":            "postgres:///f?host=/run&user=x",
		"postgres://footbridge@h/f?sslmode=require": "postgres://footbridge@h/f?sslmode=require",
	} {
		if got := service.MaskURL(given); got != want {
			t.Errorf("%s became %s, want %s", given, got, want)
		}
	}
}

func FuzzMaskURLHidesThePassword(f *testing.F) {
	f.Add("hunter2")
	f.Fuzz(func(t *testing.T, password string) {
		if strings.ContainsFunc(password, unicode.IsSpace) || strings.Contains(password, "://") || len(password) < 4 ||
			strings.Contains("postgres://u:********@h/d", password) {
			return
		}
		if got := service.MaskURL("postgres://u:" + password + "@h/d"); strings.Contains(got, password) {
			t.Errorf("%q is in %s", password, got)
		}
	})
}

func TestACommandsOwnFlagIsNotTakenByASettingOfItsName(t *testing.T) {
	t.Parallel()
	var o struct {
		Shared struct {
			Place string `env:"PLACE" default:"here"`
		}
		Own struct {
			Place string `env:"PLACE"`
		}
	}
	loaded, err := service.Load(&o, service.Sources{Prefix: "X_", Environ: []string{"X_PLACE=there"},
		Args: []string{"--place", "elsewhere"}})
	if err != nil {
		t.Fatal(err)
	}
	if o.Shared.Place != "there" || o.Own.Place != "elsewhere" {
		t.Errorf("the setting is %q and the flag %q", o.Shared.Place, o.Own.Place)
	}
	if !loaded.TakesValue("--place") || loaded.TakesValue("--nowhere") {
		t.Error("it is not known which flags take a value")
	}
}

func TestSecretsOfManyMayBeFilesAndAreNotPrinted(t *testing.T) {
	t.Parallel()
	var c struct {
		Secrets map[string]service.Secret `env:"*_SIGN_IN_SECRET"`
	}
	l, err := service.Load(&c, from([]string{"FOOTBRIDGE_CIS2_SIGN_IN_SECRET_FILE=/run/token",
		"FOOTBRIDGE_OUR_TRUST_SIGN_IN_SECRET=geheim"}))
	if err != nil || len(l.Warnings) != 0 {
		t.Fatal(err, l.Warnings)
	}
	if string(c.Secrets["cis2"]) != "from-file" || string(c.Secrets["our-trust"]) != "geheim" {
		t.Errorf("got %d secrets: %v", len(c.Secrets), c.Secrets)
	}
	var out strings.Builder
	if err := l.Print(&out); err != nil || strings.Contains(out.String(), "geheim") ||
		!strings.Contains(out.String(), "FOOTBRIDGE_OUR_TRUST_SIGN_IN_SECRET") {
		t.Errorf("printed: %v %s", err, out.String())
	}
}
