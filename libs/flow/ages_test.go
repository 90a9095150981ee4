package flow

import (
	"testing"
	"time"
)

func TestAnAgeIsThatOfTheOldestThatWaitsAndNotOfWhatWasDoneBefore(t *testing.T) {
	t.Parallel()
	began := time.Now()
	at := func(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }
	var a ages
	a.looked(100, at(0))
	a.looked(100, at(3600)) // a quiet hour
	if got := a.after(100); got != at(3600) {
		t.Errorf("what came after a quiet hour waits since %v", got.Sub(began))
	}
	a.looked(300, at(3602))
	a.looked(900, at(3604))
	if got := a.after(250); got != at(3600) {
		t.Errorf("what lies after 250 waits since %v", got.Sub(began))
	}
	if got := a.after(950); got != at(3604) {
		t.Errorf("what came after the last look waits since %v", got.Sub(began))
	}
	a.emptied(at(3606)) // what lies between was for others
	if got := a.after(250); got != at(3606) {
		t.Errorf("after nothing waited, since %v", got.Sub(began))
	}
}

func TestAnAgeGoesBackToBeforeThisProcessBeganAsSoonAsSomethingIsTaken(t *testing.T) {
	t.Parallel()
	began := time.Now()
	var a ages
	a.looked(5000, began)
	if got := a.after(10); got != began {
		t.Errorf("before anything is taken: %v", got.Sub(began))
	}
	a.observe(11, began.Add(-48*time.Hour))
	if got := a.after(10); got != began.Add(-48*time.Hour) {
		t.Errorf("once the first is taken: %v", got.Sub(began))
	}
	for i := range uint64(10 * maxSamples) {
		a.looked(5000+i, began.Add(time.Duration(i)*time.Second))
	}
	if len(a.samples) > maxSamples || a.after(10).After(began) {
		t.Errorf("%d looks are remembered, and the first is at %v", len(a.samples), a.after(10).Sub(began))
	}
	a.looked(7, began.Add(time.Hour)) // the stream was made again
	if got := a.after(3); got != began.Add(time.Hour) {
		t.Errorf("in a new stream: %v", got.Sub(began))
	}
}
