package console

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
)

// What became of a call is said in two presses: one chooses, one sends. Where an outcome asks something more, what the
// person said or why nobody rang, each answer is an option of its own: nothing is chosen for anybody, and nothing is
// asked twice.

// besideOutcome are what an outcome asks beside itself.
var besideOutcome = map[string]string{"reached": "answer", "not-made": "reason", "asked-to-stop": "by"}

// outcomeParts stands between an outcome and what it asks.
const outcomeParts = "/"

// callOutcomeWords are options of both, where the two sentences side by side would read badly.
var callOutcomeWords = map[string]string{
	"reached/better":      "Reached: things are better",
	"reached/same":        "Reached: things are about the same",
	"reached/worse":       "Reached: things are worse. Somebody is in touch within 4 hours",
	"reached/did-not-say": "Reached: they did not say how things are",

	"asked-to-stop/person":        "The person asked for the calls to stop",
	"asked-to-stop/somebody-else": "Somebody else asked for the calls to stop",

	"not-made/caller-ill":  "Not made: whoever was to ring is ill",
	"not-made/caller-away": "Not made: whoever was to ring is away",
	"not-made/no-caller":   "Not made: nobody was there to ring",
	"not-made/no-time":     "Not made: there was no time",
	"not-made/system-down": "Not made: the system was down",
	"not-made/other":       "Not made, for another reason",
}

// inTwoPresses makes one question of those about the outcome of a call.
func (v actionsView) inTwoPresses() actionsView {
	for i, form := range v.Forms {
		v.Forms[i].Questions = outcomeInOne(form.Key, form.Questions)
	}
	return v
}

func outcomeInOne(key string, questions []question) []question {
	named := func(name string) int {
		return slices.IndexFunc(questions, func(q question) bool { return q.Name == key+"."+name })
	}
	at := named("outcome")
	if at < 0 {
		return questions
	}
	merged, folded := questions[at], map[int]bool{}
	merged.Options = nil
	for _, outcome := range questions[at].Options {
		beside := named(besideOutcome[outcome.Code])
		if beside < 0 || len(questions[beside].Options) == 0 {
			merged.Options = append(merged.Options, outcome)
			continue
		}
		folded[beside] = true
		merged.Error = cmp.Or(merged.Error, questions[beside].Error)
		for _, answer := range questions[beside].Options {
			if answer.Code == "" {
				continue // not to answer is none of the answers
			}
			code := outcome.Code + outcomeParts + answer.Code
			merged.Options = append(merged.Options, option{Code: code, Hint: answer.Hint,
				Words:  cmp.Or(callOutcomeWords[code], outcome.Words+": "+lowerFirst(answer.Words)),
				Chosen: outcome.Chosen && answer.Chosen})
		}
	}
	var left []question
	for i, q := range questions {
		switch {
		case i == at:
			left = append(left, merged)
		case !folded[i]:
			left = append(left, q)
		}
	}
	return left
}

// outcomeApart undoes that in what was entered: what is sent is the outcome, and what was answered beside it.
func outcomeApart(entered url.Values) {
	for name := range entered {
		key, is := strings.CutSuffix(name, ".outcome")
		outcome, answer, both := strings.Cut(entered.Get(name), outcomeParts)
		if is && both && besideOutcome[outcome] != "" {
			entered.Set(name, outcome)
			entered.Set(key+"."+besideOutcome[outcome], answer)
		}
	}
}
