package operations

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

var services = []string{"intake", "threshold", "followup", "bridging", "journey", "delivery"}

// well are answers in which every figure is read and nothing is amiss.
func well() map[string]Answer {
	answers := map[string]Answer{}
	for _, service := range services {
		a := Answer{Service: service}
		for _, k := range kinds {
			if k.Name == Unseen || k.By != "" && k.By != service {
				continue
			}
			a.Readings = append(a.Readings, Reading{Name: k.Name, Value: wellValue(k)})
		}
		answers[service] = a
	}
	return answers
}

func wellValue(k Kind) float64 {
	if k.Below {
		return k.Limit
	}
	return 0
}

func reported(answers map[string]Answer) Report {
	return reportOf(services, answers, time.Time{}, true)
}

func alertOn(t *testing.T, r Report, k Kind) Alert {
	t.Helper()
	i := slices.IndexFunc(r.Alerts, func(a Alert) bool { return a.Words == k.Words })
	if i < 0 {
		t.Fatalf("%s has no alert", k.Name)
	}
	return r.Alerts[i]
}

// TestEveryFigureThatIsJudgedTurnsRedAndBack: one at a time, by the smallest value beyond its limit, and it is not red
// at the limit itself.
func TestEveryFigureThatIsJudgedTurnsRedAndBack(t *testing.T) {
	t.Parallel()
	for _, a := range reported(well()).Alerts {
		if a.Active || a.Unknown {
			t.Errorf("while all is well: %+v", a)
		}
	}
	for _, k := range kinds {
		if !k.Judged || k.Name == Unseen {
			continue
		}
		for _, c := range []struct {
			value float64
			amiss bool
		}{{k.Limit, false}, {k.Limit + 1, !k.Below}, {k.Limit - 1, k.Below}} {
			answers := well()
			for service, a := range answers {
				for i := range a.Readings {
					if a.Readings[i].Name == k.Name {
						a.Readings[i].Value = c.value
					}
				}
				answers[service] = a
			}
			r := reported(answers)
			if got := alertOn(t, r, k); got.Active != c.amiss || got.Runbook == "" {
				t.Errorf("%s at %v: %+v", k.Name, c.value, got)
			}
			if f := r.Of(k.Name)[0]; f.Amiss != c.amiss || (f.Severity != "") != c.amiss {
				t.Errorf("%s at %v: %+v", k.Name, c.value, f)
			}
			if c.amiss && r.Alerts[0].Words != k.Words {
				t.Errorf("%s: another alert stands before it: %s", k.Name, r.Alerts[0].Words)
			}
		}
	}
}

// TestWhatCouldNotBeReadIsUnknownAndNeverZero: of a service that does not answer, and of one that answers without a
// figure. An alert does not end because its figure vanished.
func TestWhatCouldNotBeReadIsUnknownAndNeverZero(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		if k.Name == Unseen {
			continue
		}
		answers := well()
		for service, a := range answers {
			a.Readings = slices.DeleteFunc(a.Readings, func(r Reading) bool { return r.Name == k.Name })
			answers[service] = a
		}
		r := reported(answers)
		for _, f := range r.Of(k.Name) {
			if !f.Unknown {
				t.Errorf("%s was read by nobody and is %v", k.Name, f.Value)
			}
		}
		if len(r.Of(k.Name)) == 0 {
			t.Errorf("%s is not there at all", k.Name)
		}
		if k.Judged && !alertOn(t, r, k).Unknown {
			t.Errorf("%s was read by nobody, and its alert is well", k.Name)
		}
	}
	for _, service := range services {
		answers := well()
		delete(answers, service)
		r := reported(answers)
		if a := alertOn(t, r, KindOf(Unseen)); !a.Active || !slices.Equal(a.Services, []string{service}) {
			t.Errorf("without %s: %+v", service, a)
		}
		i := slices.IndexFunc(r.Services, func(s Standing) bool { return s.Service == service })
		if r.Services[i].Answered || r.Services[i].Ready || r.Services[i].Why == "" {
			t.Errorf("without %s: %+v", service, r.Services[i])
		}
		if sum := r.Of(DeadLetters)[0]; !sum.Partial {
			t.Errorf("without %s the dead letters are all told: %+v", service, sum)
		}
	}
}

// TestAServiceThatHangsHoldsNobodyUp: the others are shown, and it as one that does not answer.
func TestAServiceThatHangsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	defer close(release)
	short, cancel := context.WithCancel(t.Context())
	answers, asked := well(), make(chan struct{}, len(services))
	go func() {
		for range services {
			<-asked
		}
		cancel() // as the time limit does
	}()
	r := Gather(short, services, time.Time{}, true, func(_ context.Context, service string) (Answer, error) {
		asked <- struct{}{}
		switch service {
		case "journey":
			<-release
		case "intake":
			return Answer{}, errors.New("the connection was refused")
		}
		return answers[service], nil
	})
	for _, s := range r.Services {
		if (s.Service == "journey" || s.Service == "intake") && s.Answered {
			t.Errorf("%s answered", s.Service)
		}
	}
	if len(r.Services) != len(services) || !r.Of(WithoutStep)[0].Unknown || !r.Of(MessagesWaiting)[0].Unknown {
		t.Errorf("%+v", r.Services)
	}
}

// TestWhoeverIsNoOperatorSeesTheFiguresOfPeoplesWorkAlone.
func TestWhoeverIsNoOperatorSeesTheFiguresOfPeoplesWorkAlone(t *testing.T) {
	t.Parallel()
	r := reportOf(services, well(), time.Time{}, false)
	for _, f := range r.Figures {
		if !KindOf(f.Name).Human {
			t.Errorf("they see %s", f.Name)
		}
	}
	if len(r.Of(WithoutStep)) != 1 || len(r.Of(DeadLetters)) != 0 {
		t.Errorf("they see %+v", r.Figures)
	}
}
