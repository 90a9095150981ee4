package reading

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"footbridge/libs/hl7"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

// samplesFolder holds, beside the profiles, golden samples of what their senders write: samples/NAME/VISIT.hl7, with
// what must become of each message in samples/NAME/VISIT.expected.yaml.
const samplesFolder = "samples"

// expectations is such a file.
type expectations struct {
	// Received is when the messages come; windows and ages are counted from it.
	Received time.Time `yaml:"received"`
	Messages []expectation
}

type expectation struct {
	Control string         `yaml:"control"`
	Ack     string         `yaml:"ack"` // AA where it is left out
	Outcome record.Outcome `yaml:"outcome"`
	Reason  string         `yaml:"reason"`
	Facts   map[string]any `yaml:"facts"` // those that must be told; others may be

	at string // file and line
}

// SampleLine is what became of one message of a sample in a dry run, and what is wrong with that.
type SampleLine struct {
	Profile string         `json:"profile"`          // its name
	Version string         `json:"version"`          // the profile's
	Sample  string         `json:"sample,omitempty"` // the file that the message stands in
	Control string         `json:"controlId"`
	Type    string         `json:"type"`
	Ack     string         `json:"ack"`
	Outcome record.Outcome `json:"outcome"`
	Reason  string         `json:"reason,omitempty"`
	Wrong   []string       `json:"wrong,omitempty"` // what was expected otherwise
}

// ShippedProfileFiles are the profiles built in, with their samples.
func ShippedProfileFiles() fs.FS {
	sub, err := fs.Sub(shipped, "profiles")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}

// DryRun reads the profiles of the given trees over the shipped ones, and each tree's samples by them, in memory:
// nothing is stored, sent or told. A sample must be read by the profile whose folder it is in. The error is about
// files that cannot be read; what differs from what is expected is in the lines.
func DryRun(trees ...fs.FS) ([]SampleLine, error) {
	profiles, err := LoadProfiles(append([]fs.FS{ShippedProfileFiles()}, trees...)...)
	if err != nil {
		return nil, err
	}
	var lines []SampleLine
	for _, tree := range append([]fs.FS{ShippedProfileFiles()}, trees...) {
		samples, err := fs.Glob(tree, samplesFolder+"/*/*.hl7")
		if err != nil {
			return nil, fmt.Errorf("looking for samples: %w", err)
		}
		for _, sample := range samples {
			more, err := runSample(tree, profiles, sample)
			if err != nil {
				return nil, fmt.Errorf("sample %q: %w", sample, err)
			}
			lines = append(lines, more...)
		}
	}
	return lines, nil
}

func runSample(tree fs.FS, profiles *Profiles, sample string) ([]SampleLine, error) {
	content, err := fs.ReadFile(tree, sample)
	if err != nil {
		return nil, err
	}
	wanted, err := readExpectations(tree, strings.TrimSuffix(sample, ".hl7")+".expected.yaml")
	if err != nil {
		return nil, err
	}
	pieces, err := hl7.Split(content)
	if err != nil {
		return nil, err
	}
	rehearsal := newRehearsal(profiles, wanted.Received)
	var lines []SampleLine
	for i, piece := range pieces {
		line := rehearsal.applyAll(piece)
		line.Sample = sample
		if owner := path.Base(path.Dir(sample)); line.Profile != owner {
			line.Wrong = append(line.Wrong, fmt.Sprintf("read by profile %s, not by %s: does MSH-3 name one of its "+
				"senders?", line.Profile, owner))
		}
		if i < len(wanted.Messages) {
			for _, wrong := range wanted.Messages[i].differences(line, rehearsal.facts) {
				line.Wrong = append(line.Wrong, wanted.Messages[i].at+": "+wrong)
			}
		} else {
			line.Wrong = append(line.Wrong, "nothing is expected of this message")
		}
		lines = append(lines, line)
	}
	if len(wanted.Messages) > len(pieces) {
		return nil, fmt.Errorf("%d messages are expected, the sample holds %d", len(wanted.Messages), len(pieces))
	}
	return lines, nil
}

func readExpectations(tree fs.FS, name string) (wanted expectations, err error) {
	content, err := fs.ReadFile(tree, name)
	if err != nil {
		return wanted, fmt.Errorf("reading what is expected of it: %w", err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(&wanted); err != nil {
		return wanted, fmt.Errorf("reading %s:%d: %w", name, lineOfFault(content, err), err)
	}
	if wanted.Received.IsZero() {
		return wanted, fmt.Errorf("%s:1: received must say when the messages come", name)
	}
	var lines struct{ Messages []yaml.Node }
	if err := yaml.Unmarshal(content, &lines); err != nil {
		return wanted, fmt.Errorf("reading %q: %w", name, err)
	}
	for i := range wanted.Messages {
		wanted.Messages[i].at = fmt.Sprintf("%s:%d", name, lines.Messages[i].Line)
	}
	return wanted, nil
}

func (e expectation) differences(line SampleLine, facts map[string]any) (wrong []string) {
	differ := func(what, want, got string) {
		if want != got {
			wrong = append(wrong, fmt.Sprintf("%s is %q, expected %q", what, got, want))
		}
	}
	differ("control id", cmp.Or(e.Control, line.Control), line.Control)
	differ("answer", cmp.Or(e.Ack, "AA"), line.Ack)
	differ("outcome", string(e.Outcome), string(line.Outcome))
	differ("reason", e.Reason, line.Reason)
	for name, want := range e.Facts {
		if got, told := facts[name]; told {
			differ("fact "+name, fmt.Sprint(want), fmt.Sprint(got))
		} else {
			wrong = append(wrong, fmt.Sprintf("fact %s is not told, expected %q", name, fmt.Sprint(want)))
		}
	}
	slices.Sort(wrong)
	return wrong
}

// rehearsal takes messages in memory, with lookup keys in the clear.
type rehearsal struct {
	profiles *Profiles
	unit     *record.UnitOfWork
	received time.Time
	ids      int
	facts    map[string]any // as the last event told them
}

func newRehearsal(profiles *Profiles, received time.Time) *rehearsal {
	r := &rehearsal{profiles: profiles, received: received, facts: map[string]any{}}
	zone := profiles.Fallback.zone
	r.unit = record.NewUnit(zone, 4*time.Hour, r.id)
	return r
}

func (r *rehearsal) id() string { r.ids++; return fmt.Sprintf("00000000-0000-7000-8000-%012d", r.ids) }

func (r *rehearsal) applyAll(raw []byte) SampleLine {
	message, err := hl7.Parse(raw)
	if err != nil {
		reading := ReadFailure(err)
		return SampleLine{Ack: AckCode(reading.Ack), Outcome: reading.Outcome, Reason: reading.Reason}
	}
	profile := r.profiles.For(message.SendingApplication())
	reading := ReadHL7(message, r.profiles, r.received)
	line := SampleLine{Profile: profile.Name, Version: profile.Version, Control: reading.ControlID, Type: reading.Type,
		Ack: AckCode(reading.Ack), Outcome: reading.Outcome, Reason: reading.Reason}
	if reading.ClinicalEvent == nil || reading.Outcome != "" {
		return line
	}
	s := *reading.ClinicalEvent
	s.Message = r.id()
	who := s.Person.Reveal()
	in := record.Incoming{ClinicalEvent: s, Keys: record.Keys{Person: "local:" + who.LocalID,
		GivenUp: "local:" + s.GivenUp.Person.Reveal().LocalID},
		New: record.NewIDs{Person: r.id(), GivenUp: r.id(), Visit: r.id(), Journey: r.id()}, DecidedAt: r.received}
	if who.NHSNumberVerified {
		in.Keys.Number = "number:" + who.NHSNumber
	}
	if who.LocalID == "" {
		in.Keys.Person, in.Keys.Anonymous = "visit:"+s.Visit, true
	}
	settled := r.unit.Apply(in)
	r.apply(settled.Emissions)
	line.Outcome, line.Reason = settled.Outcome, settled.Reason
	return line
}

func (r *rehearsal) apply(say []record.Emission) {
	for _, one := range say {
		data, ok := one.Data.(schemas.DischargeRecordedData)
		if !ok {
			continue
		}
		text, _ := json.Marshal(data.Facts)
		_ = json.Unmarshal(text, &r.facts)
	}
}
