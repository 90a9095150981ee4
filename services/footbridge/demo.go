package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"footbridge/libs/bus"
	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/hl7"
	"footbridge/libs/service"
	"footbridge/schemas"
	"footbridge/services/console"
)

type demoFlags struct {
	Exit bool `env:"EXIT" help:"end after the story: 0 when all of it happened, 1 when not (also DEMO_EXIT=1)"`
}

// demo starts everything, plays a hospital, a person, partners and callers, and tells what happens in words, day by
// day.
func demo(ctx context.Context, args []string) error {
	o, err := loadAlone[demoFlags](args)
	if err != nil {
		return shown(err)
	}
	o.development, o.LogText, o.quiet = true, true, true
	if err := o.check(serviceNames()...); err != nil {
		return err
	}
	if err := o.makeKeys(); err != nil {
		return err
	}
	if err := o.freePorts(); err != nil {
		return err
	}
	exit := o.Own.Exit || os.Getenv("DEMO_EXIT") == "1"
	shifted := &clock.Shifted{}
	shifted.Set(time.Until(beginning(time.Now(), london()).At(3, 0, london())))
	o.clock = shifted
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	err = run(ctx, &o.Config, serviceNames(), func(p *process) {
		p.runner.Add("demonstration", func(ctx context.Context, h *service.Health) error {
			h.Ready()
			err := p.demonstrate(ctx, shifted, exit)
			if err != nil {
				return err
			}
			if exit {
				end(nil)
				<-ctx.Done()
				return nil
			}
			fmt.Printf("\nThe console stays open at http://%s (choose who you are; Ctrl-C ends the demo).\n",
				p.cfg.HTTPAddr)
			<-ctx.Done()
			return nil
		})
	})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// freePorts keeps the demo from colliding with a system that already runs here: it takes other ports, and says so
// by what it prints.
func (c *Config) freePorts() error {
	for _, addr := range []*string{&c.HTTPAddr, &c.MLLPAddr, &c.OpsAddr, &c.NATSAddr} {
		listener, err := net.Listen("tcp", *addr)
		if err != nil {
			host, _, _ := net.SplitHostPort(*addr)
			if listener, err = net.Listen("tcp", net.JoinHostPort(host, "0")); err != nil {
				return fmt.Errorf("looking for a free port: %w", err)
			}
			*addr = listener.Addr().String()
		}
		if err := listener.Close(); err != nil {
			return err
		}
	}
	return nil
}

// demonstrate tells the story of one made-up person, from the hospital's first message to the closing.
func (p *process) demonstrate(ctx context.Context, shifted *clock.Shifted, ends bool) error {
	events, stop, err := p.listen(ctx)
	if err != nil {
		return err
	}
	defer stop()
	s := &story{p: p, clock: shifted, zone: london(), day0: beginning(time.Now(), london()), events: events}
	if s.partners, s.names, err = p.namedPartners(); err != nil {
		return err
	}
	print("One made-up person, day by day. The clock of this system is moved; people, services and numbers are made up.")
	if err := s.run(ctx); err != nil {
		return err
	}
	return p.conclude(s, ends)
}

// namedPartners are the two that the demo's person names, in their order, and what staff call each partner.
func (p *process) namedPartners() (named []string, names map[string]string, err error) {
	all, err := p.partners()
	if err != nil {
		return nil, nil, err
	}
	if len(all) < 2 {
		return nil, nil, fmt.Errorf("the directory has %d partners for follow-up, and the demo's person names two",
			len(all))
	}
	names = map[string]string{}
	for _, partner := range all {
		names[partner.ID] = partner.Name
	}
	return []string{all[0].ID, all[1].ID}, names, nil
}

func print(format string, args ...any) { fmt.Printf("\n"+format+"\n", args...) }

// listen reads every event from now on, with the login that owns the streams.
func (p *process) listen(ctx context.Context) (<-chan flow.Event, func(), error) {
	cfg, err := p.cfg.login(ownerName, "demo")
	if err != nil {
		return nil, nil, err
	}
	conn, err := bus.Connect(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	events := make(chan flow.Event, 256)
	stream, _ := p.cfg.streams()
	sub, err := conn.NATS.Subscribe(stream.Subjects[0], func(msg *nats.Msg) {
		if e, err := flow.Unmarshal(msg.Data); err == nil {
			events <- e
		}
	})
	if err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("listening to events: %w", err)
	}
	if err := conn.NATS.Flush(); err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("listening to events: %w", err)
	}
	return events, func() { _ = sub.Unsubscribe(); conn.Close() }, nil
}

// playHospital sends the sample over MLLP: the arrival with its reason, the coded diagnosis, and the end of the
// visit, which by itself says nothing of why.
func (p *process) playHospital(ctx context.Context, now time.Time) error {
	client, err := hl7.Dial(ctx, p.cfg.MLLPAddr, nil)
	if err != nil {
		return fmt.Errorf("connecting as the hospital: %w", err)
	}
	defer func() { _ = client.Close() }()
	for _, m := range sampleVisit(now) {
		raw, err := client.Send(ctx, m.bytes)
		if err != nil {
			return fmt.Errorf("sending %s: %w", m.event, err)
		}
		ack, err := hl7.ParseAck(raw)
		if err != nil {
			return fmt.Errorf("reading the answer to %s: %w", m.event, err)
		}
		fmt.Printf("    hospital RXX sends ADT^%s (%s); Footbridge answers %s\n", m.event, m.about, ack.Code)
		if !ack.Positive() {
			return fmt.Errorf("the sample %s was not accepted: %s", m.event, ack.Text)
		}
	}
	return nil
}

// london is the zone of the hospitals; the binary carries it.
func london() *time.Location {
	zone, err := calendar.ZoneOr(nil)
	if err != nil {
		return time.UTC
	}
	return zone
}

type sampleMessage struct {
	event, about string
	bytes        []byte
}

// sampleVisit is a made-up person's visit that ended a minute ago, in UK local time. Each run is another visit.
func sampleVisit(now time.Time) []sampleMessage {
	local := func(t time.Time) string { return t.In(london()).Format("20060102150405") }
	arrived, left := now.Add(-5*time.Hour), now.Add(-time.Minute)
	visit := strings.ReplaceAll(clock.NewID(now), "-", "")[:16]
	build := func(event, about string, more func(*hl7.Writer)) sampleMessage {
		w := hl7.NewWriter(hl7.Header{SendingApplication: "DEMO-PAS", SendingFacility: "RXX",
			ReceivingApplication: "FOOTBRIDGE",
			At:                   now, Type: "ADT", Trigger: event, ControlID: clock.NewID(now), ProcessingID: "P",
			Version: "2.4"})
		w.Segment("EVN").Set(2, local(now))
		w.Segment("PID").Set(3, visit[8:], "", "", "RXX", "MR").Repeat(3, "9990000107", "", "", "NHS", "NH").
			Set(5, "Sample", "Robin").Set(7, now.AddDate(-27, -3, 0).Format("20060102")).Set(8, "F").
			Set(11, "1 Sample Street", "", "Sampleton", "", "TQ1 4AB").Set(13, "07700900123")
		pv1 := w.Segment("PV1").Set(2, "E").Set(3, "ED").Set(19, visit).Set(44, local(arrived))
		if event == "A03" {
			pv1.Set(36, "19").Set(45, local(left))
		}
		if more != nil {
			more(w)
		}
		return sampleMessage{event, about, w.Bytes()}
	}
	return []sampleMessage{
		build("A04", "arrival", nil),
		build("A08", "a coded diagnosis", func(w *hl7.Writer) {
			w.Segment("DG1").Set(1, "1").Set(3, "276853009", "Self-inflicted injury", "SCT")
		}),
		build("A03", "the visit has ended; no reason on it", nil),
	}
}

func read[T any](e flow.Event) *T {
	var data T
	if json.Unmarshal(e.Data, &data) != nil {
		return nil
	}
	return &data
}

// conclude tells where to look next.
func (p *process) conclude(s *story, ends bool) error {
	print("Where to look next:")
	if ends {
		fmt.Println("  make run, which goes on with what the demo left; and beside it")
	}
	fmt.Printf("  bin/footbridge journeys %s\n  bin/footbridge trace %s\n  bin/footbridge messages\n", s.journey,
		s.journey)
	fmt.Printf("  in the console (%s): /journeys/%s, as the navigator\n", "http://"+p.cfg.HTTPAddr, s.journey)
	return nil
}

// printEligibility tells what each service's criteria say, as staff would see it: an event names only what is open.
func (p *process) printEligibility(ctx context.Context, ask *client, journey string) error {
	var doors page[schemas.ServiceEligibility]
	if _, err := ask.call(ctx, http.MethodGet, "/api/journeys/"+journey+"/doors", nil, "", &doors); err != nil {
		return err
	}
	fmt.Println("\n  Every service, by its published criteria:")
	for _, door := range doors.Items {
		fmt.Printf("    %-50s %s\n", door.Name, eligibilityInWords(door))
	}
	return nil
}

func eligibilityInWords(door schemas.ServiceEligibility) string {
	switch door.Eligibility {
	case schemas.Eligible:
		return "open"
	case schemas.EligibleIf:
		return "open, if we learn: " + strings.Join(console.FactsInWords(door.Missing), ", ")
	case schemas.TalkAbout:
		return "to be talked about with the service" + firstWords(door)
	default:
		return "does not currently offer this" + firstWords(door)
	}
}

// firstWords are the service's own words for the first criterion that stands in the way, with source and date.
func firstWords(door schemas.ServiceEligibility) string {
	if len(door.Because) == 0 {
		return ""
	}
	c := door.Because[0]
	return fmt.Sprintf(": “%s” (%s, checked %s)", c.Words, c.Source, c.CheckedOn)
}

func dayInWords(day string) string {
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return day
	}
	return at.Format("Monday 2 January")
}

func ownerInWords(owner string) string {
	kind, name, _ := strings.Cut(owner, ":")
	return "the " + strings.TrimSpace(strings.ReplaceAll(name, "-", " ")+" "+kind)
}
