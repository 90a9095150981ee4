package httpx

import "testing"

func TestTextInWhichLettersCouldNotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	for body, taken := range map[string]bool{
		`{"words":"Zo\u00eb, 10 \u20ac \ud83d\ude00"}`: true,
		`{"words":"a \\u0000 that is written out"}`:    true,
		`{"words":"Zo\ufffd"}`:                         false,
		`{"words":"Zo\uFFFD"}`:                         false,
		"{\"words\":\"Zo\uFFFD\"}":                     false,
		"{\"words\":\"Zo\xeb\"}":                       false,
		`{"words":"half \ud83d"}`:                      false,
		`{"words":"nul \u0000"}`:                       false,
	} {
		var into struct{ Words string }
		if err := DecodeJSON([]byte(body), &into); (err == nil) != taken {
			t.Errorf("%q: %v", body, err)
		}
	}
}
