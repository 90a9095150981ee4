package journeys

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/hl7"
	"footbridge/schemas"
	"footbridge/tests/system"
)

// birdPerson is an invented person whose every detail is a canary.
type birdPerson struct {
	family, given, alias  string
	nhs, local, visit     string
	born                  time.Time
	phone, email, street  string
	town, postcode        string
	kin, doctor, ownWords string
}

func nhsNumber(t *testing.T, start int) string {
	t.Helper()
	for n := start; n < start+20; n++ {
		if number := fmt.Sprintf("999%07d", n); hl7.ValidNHSNumber(number) {
			return number
		}
	}
	t.Fatalf("no valid number near 999%07d", start)
	return ""
}

func birds(t *testing.T) []birdPerson {
	return []birdPerson{
		{"Quillfeather", "Zephyrine", "Wrenbird", nhsNumber(t, 4471180), "LOCQX77315", "VISQX88120",
			time.Date(1987, 3, 14, 0, 0, 0, 0, time.UTC),
			"07700900731", "zephyrine.q@nestmail.example", "17 Marrowgate Lane", "Ploverton", "ZZ99 4QQ", "Thornquill",
			"Dunnockson", "greenfinch ladder sentence"},
		{"Oystercatchley", "Bartholomea", "Siskinette", nhsNumber(t, 5562290), "LOCWY66204", "VISWY99231",
			time.Date(1994, 11, 27, 0, 0, 0, 0, time.UTC),
			"07700900946", "bartholomea.o@perchpost.example", "4 Curlewstone Row", "Godwitham", "ZZ99 7WY",
			"Brambleclaw", "Fulmarsen", "nightjar kettle sentence"},
		{"Whimbrelworth", "Guillemotte", "Dotterelle", nhsNumber(t, 6653400), "LOCKV55193", "VISKV77342",
			time.Date(1979, 6, 8, 0, 0, 0, 0, time.UTC),
			"07700900658", "guillemotte.w@rookmail.example", "92 Sanderling Terrace", "Kittiwick", "ZZ99 3KV",
			"Phalaropeson", "Gadwallis", "bittern lantern sentence"},
		{"Turnstonebury", "Peregrinette", "Kittiwakely", nhsNumber(t, 7744510), "LOCHZ44082", "VISHZ66453",
			time.Date(1990, 9, 21, 0, 0, 0, 0, time.UTC),
			"07700900317", "peregrinette.t@eyriepost.example", "31 Redshank Parade", "Avocetham", "ZZ99 5HZ",
			"Merganserly", "Shovelerson", "lapwing teapot sentence"},
	}
}

func (b birdPerson) canaries() []canary {
	who := b.family + ": "
	return []canary{
		identity(who+"family name", b.family), identity(who+"given name", b.given), identity(who+"alias", b.alias),
		identity(who+"NHS number", digits(b.nhs, 3, 3)...), identity(who+"hospital number", b.local),
		identity(who+"birth date", dates(b.born)...),
		identity(who+"phone", append(digits(b.phone, 5), digits("+44"+b.phone[1:], 3, 4)...)...),
		identity(who+"e-mail", b.email), identity(who+"street", b.street), identity(who+"town", b.town),
		identity(who+"postcode", b.postcode),
		identity(who+"next of kin", b.kin), identity(who+"doctor", b.doctor), identity(who+"own words", b.ownWords),
	}
}

// visits are numbers that intake keeps, and that must not be seen outside its tables.
func (b birdPerson) visitCanary() canary {
	c := identity(b.family+": visit number", b.visit)
	c.only = slices.Concat(telemetryOnly, outwardOnly, []string{kindBody, kindFile})
	return c
}

// wordCanaries: no clinical word and no partner's name in what anyone on the way may see.
func wordCanaries() []canary {
	words := canary{label: "a clinical word", only: slices.Concat(telemetryOnly, outwardOnly)}
	for _, w := range []string{"self-harm", "selfharm", "self_harm", "self harm", "self%20harm", "suicid", "overdose",
		"psychiatr", "poisoning"} {
		words.plain = append(words.plain, w, hex.EncodeToString([]byte(w)))
	}
	partners := canary{label: "a partner's name", only: telemetryOnly}
	for _, w := range []string{"A&E Follow-up by Peers", "Example Peer Organisation", "example-peer-organisation",
		"Follow-up by Women Peers",
		"Example Women's Peer Network", "example-women-peers", "peer-follow-up"} {
		partners.plain = append(partners.plain, strings.ToLower(w), strings.ToLower(url.QueryEscape(w)))
	}
	return []canary{words, partners}
}

// hl7Visit is a whole visit over MLLP, with everything a hospital writes about a person.
func (b birdPerson) hl7Visit(now time.Time, control string) [][]byte {
	at := func(ago time.Duration) string { return now.Add(-ago).Format(hl7Time) }
	segment := func(n int, trigger string, ago time.Duration, more ...string) []byte {
		pv1 := fmt.Sprintf(`PV1|1|E|AE^%s|||||G0000001^%s^Robin|||||||||||%s`, b.ownWords, b.doctor, b.visit)
		if trigger == "A03" {
			pv1 = fmt.Sprintf(`PV1|1|E|AE|||||||||||||||||%s%s%s`, b.visit, strings.Repeat("|", 26), at(ago))
			pv1 = strings.Replace(pv1, "|"+b.visit, b.visit, 1)
		}
		all := []string{
			fmt.Sprintf(`MSH|^~\&|CANARY|RXX|FOOTBRIDGE|RXX|%s||ADT^%s|%s%d|P|2.4`, at(0), trigger, control, n),
			fmt.Sprintf(`EVN|%s|%s|||%s^%s`, trigger, at(ago), b.doctor, b.given),
			fmt.Sprintf(
				`PID|1||%s^^^RXX^MR~%s^^^NHS^NH||%s^%s^^^Ms||%s|F|%s||%s^^%s^^%s||%s^PRN^PH~^NET^^%s||||||||||||||||||NSTS01`,
				b.local, b.nhs, b.family, b.given, b.born.Format("20060102"), b.alias, b.street, b.town, b.postcode,
				b.phone, b.email),
			fmt.Sprintf(`PD1||||G0000001^%s^Robin`, b.doctor), fmt.Sprintf(`NK1|1|%s^%s|SIB|%s|%s`, b.kin, b.given,
				b.street, b.phone), pv1,
		}
		return []byte(strings.Join(append(all, more...), "\r") + "\r")
	}
	return [][]byte{
		segment(1, "A01", 5*time.Hour, "PV2|||248062006^Self-harm, "+b.ownWords+"^SCT", "NTE|1||"+b.ownWords+" said "+
			b.given),
		segment(2, "A08", 3*time.Hour, "DG1|1||X61^Intentional self-poisoning, "+b.ownWords+"^I10"),
		segment(3, "A03", time.Hour),
	}
}

func (b birdPerson) reported(now time.Time) []byte {
	body, _ := json.Marshal(map[string]any{"organisation": "RXX", "visit": b.visit, "inScope": true,
		"leftAt": now.Add(-time.Hour).Format(time.RFC3339),
		"person": map[string]any{"nhsNumber": b.nhs, "nhsNumberVerified": true, "localId": b.local,
			"familyName": b.family, "givenName": b.given,
			"birthDate": b.born.Format(time.DateOnly), "phone": b.phone, "email": b.email, "address": b.street + "\n" +
				b.town, "postcode": b.postcode},
		"facts": map[string]any{"destination": "home", "assessment": "done",
			"waitingOn": []string{"talking-therapies"}},
		"consents": []map[string]any{{"purpose": "follow-up", "given": true, "how": "spoken",
			"recordedBy": "liaison-nurse"},
			// of maps and strings: cannot fail
			{"purpose": "bridging", "given": true, "how": "spoken", "recordedBy": "liaison-nurse"}}})
	return body
}

// fullRun is everything a system may meet about these people: both doors, all steps, and every kind of bad input with
// their details in it, in places where they do not belong.
func fullRun(t *testing.T, s *system.System, people []birdPerson) {
	t.Helper()
	now := time.Now()
	client := s.Dial()
	for i, message := range people[0].hl7Visit(now, "CAN") {
		if ack := s.Send(client, message); ack.Code != "AA" {
			t.Fatalf("message %d of the visit: %s %s", i+1, ack.Code, ack.Text)
		}
	}
	report := people[1].reported(now)
	answer := s.Ask(schemas.System, http.MethodPost, "/events", structured,
		[]byte(event("CAN-E1", string(schemas.DischargeReported), string(report))))
	if answer.Status != http.StatusAccepted {
		t.Fatalf("the report: %d %s", answer.Status, answer.Body)
	}
	badInput(t, s, people[0], string(report))
	nosyRequests(t, s, people[0])
	// An event that nobody can apply is parked, with its payload and its reason.
	journey := clock.NewID(now)
	s.PublishAs("intake", "footbridge.discharge.recorded.v1."+journey,
		[]byte(fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/footbridge/intake",
		"type":"care.footbridge.discharge.recorded.v1","subject":%q,"time":%q,"datacontenttype":"application/json","sequence":"000000000001","data":{"person":7}}`,
			clock.NewID(now), journey, now.Format(time.RFC3339))))
	s.Resolve()
	for _, m := range s.Ledger("") {
		if m.Journey != "" && (m.Outcome == "raised" || m.Outcome == "raised-flagged") {
			system.Eventually(t, func() error { _, err := s.Journey(m.Journey); return err })
		}
	}
}

func badInput(t *testing.T, s *system.System, b birdPerson, report string) {
	t.Helper()
	conn, err := net.Dial("tcp", s.MLLP)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	name := b.family + "^" + b.given
	for _, frame := range []string{
		"\x0bhello " + b.family + " " + b.nhs + "\x1c\r",
		"\x0bMSH|^~\\&|CANARY|" + b.family[:2] + "\x1c\r",
		"\x0b" + header("ORU^R01", "CANB1") + "\rPID|1||" + b.nhs + "||" + name + "\r\x1c\r",
		"\x0b" + header("ADT^A03", "CANB2") + "\rPID|1||" + b.local + "||" + name + "||never\rPV1|1|E\r\x1c\r",
		"\x0b" + header("ADT^"+b.family, "CANB3") + "\rPID|1||" + b.local + "||" + name + "\r\x1c\r",
	} {
		if _, err := conn.Write([]byte(frame)); err != nil {
			t.Fatal(err)
		}
		answerOn(t, conn)
	}
	for i, body := range []string{
		`{"` + b.family + `": "` + b.nhs, // no JSON
		event("CAN-B1", "care.footbridge."+strings.ToLower(b.family)+".seen.v1", report),
		event("CAN-B2", string(schemas.DischargeReported),
			strings.Replace(report, `"facts":{`, `"`+b.family+`":"`+b.given+`","facts":{"language":"`+b.ownWords+`",`,
				1)),
		event("CAN-B3", string(schemas.DischargeReported),
			strings.Replace(report, `"inScope":true`, `"inScope":"`+b.nhs+`"`, 1)),
		strings.Replace(event("CAN-B4", string(schemas.DischargeReported), report), system.HospitalSource,
			"/hospitals/"+b.family, 1),
	} {
		if answer := s.Ask(schemas.System, http.MethodPost, "/events", structured, []byte(body)); answer.Status < 400 ||
			answer.Status >= 500 {
			t.Errorf("bad request %d: %d %s", i+1, answer.Status, answer.Body)
		}
	}
}

// nosyRequests put details where they do not belong: into paths, queries, headers and tokens.
func nosyRequests(t *testing.T, s *system.System, b birdPerson) {
	t.Helper()
	for _, path := range []string{"/api/journeys/" + b.family, "/api/journeys?after=" + b.nhs,
		"/api/messages?sender=" + b.family + "&outcome=" + b.given,
		"/" + url.PathEscape(b.email), "/api/services?q=" + url.QueryEscape(b.street),
		"/api/messages?cursor=" + b.postcode[:4]} {
		s.Ask(schemas.Operator, http.MethodGet, path, "", nil)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.HTTP+"/api/journeys", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"User-Agent": b.family, "Authorization": "Bearer " + b.given,
		"Baggage": "person=" + b.family, "X-Request-Id": b.nhs,
		"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"Tracestate":  "x=" + strings.ToLower(b.family), "Referer": "http://ward/" + b.family} {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
}

// places gathers all that left the sealed records.
func places(t *testing.T, s *system.System) []place {
	t.Helper()
	all := []place{{kindMetric, "/metrics", s.Metrics()}, {kindLog, "what the program wrote", s.Log.Bytes()}}
	kinds := map[string]string{"/v1/traces": kindSpan, "/v1/metrics": kindMetric, "/v1/logs": kindLog}
	for i, export := range s.Collector.Exports() {
		all = append(all, place{kinds[export.Path], fmt.Sprintf("export %d to %s", i, export.Path), export.Body})
	}
	for i, p := range s.Events() {
		where := fmt.Sprintf("message %d", i+1)
		all = append(all, place{kindSubject, where,
			[]byte(p.Subject + " " + p.Event.Type + " " + p.Event.Source + " " + p.Event.Subject)},
			place{kindBody, where, p.Body})
		for name, values := range p.Header {
			all = append(all, place{kindHeader, where, []byte(name + ": " + strings.Join(values, ", "))})
		}
	}
	all = append(all, tables(t, s)...)
	all = append(all, arguments(s)...)
	return append(all, files(t, s)...)
}

// tables reads every row of every table, whatever its columns, as text: bytes show as hexadecimal digits.
func tables(t *testing.T, s *system.System) []place {
	t.Helper()
	var all []place
	each := func(kind, where, query string) int {
		rows, err := s.Admin().Query(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		n := 0
		for rows.Next() {
			var row string
			if err := rows.Scan(&row); err != nil {
				t.Fatal(err)
			}
			all = append(all, place{kind, where, []byte(row)})
			n++
		}
		if rows.Err() != nil {
			t.Fatal(rows.Err())
		}
		return n
	}
	rows, err := s.Admin().Query(t.Context(), `select n.nspname || '.' || c.relname from pg_class c join pg_namespace n
		on n.oid = c.relnamespace
		where c.relkind in ('r', 'p') and not c.relispartition
		and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg_%'`)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if len(names) < 30 {
		t.Fatalf("only %d tables were found", len(names))
	}
	for _, name := range names {
		each(kindTable, name, "select t::text from "+name+" t")
	}
	each(kindQuery, "pg_stat_activity", "select query from pg_stat_activity where datname = current_database() and "+
		"pid <> pg_backend_pid()")
	return all
}

// arguments are what anyone on the machine can see of the program's processes, and of the database's that serve it.
func arguments(s *system.System) []place {
	var all []place
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline") // fails only for a bad pattern
	for _, line := range lines {
		content, err := os.ReadFile(line)
		if err != nil || len(content) == 0 {
			continue
		}
		if groupOf(filepath.Dir(line)) == s.PID() || bytes.Contains(content, []byte(s.DB.Name)) {
			all = append(all, place{kindArgs, line, content})
		}
	}
	return all
}

// groupOf is a process's group: pid (name) state parent group; the name may hold anything.
func groupOf(process string) int {
	content, _ := os.ReadFile(filepath.Join(process, "stat")) // it may have ended
	after := strings.Fields(string(content[bytes.LastIndexByte(content, ')')+1:]))
	if len(after) < 3 {
		return 0
	}
	group, _ := strconv.Atoi(after[2])
	return group
}

// files are the state directory: the broker's files among them. The keys in it are no place for anybody's details.
func files(t *testing.T, s *system.System) []place {
	t.Helper()
	var all []place
	err := filepath.WalkDir(s.StateDir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil // the broker has just removed it
		}
		if content, err := os.ReadFile(name); err == nil {
			all = append(all, place{kindFile, name, content})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestNothingThatIdentifiesSomebodyLeavesTheirSealedRecord(t *testing.T) {
	t.Parallel()
	desk := newDesk(t)
	s := system.StartPrepared(t, loud(t), desk.settings()...)
	people := birds(t)
	fullRun(t, s, people)
	answers := everyDoor(t, s, people[2])
	desk.life(s, people[3])
	s.Resolve()
	canaries := desk.canaries()
	for _, b := range people {
		canaries = append(append(canaries, b.canaries()...), b.visitCanary())
	}
	canaries = append(canaries, wordCanaries()...)

	system.Eventually(t, func() error { return exported(s) })
	looked := slices.Concat(places(t, s), answers, desk.places(), []place{serverLog(t, s)})
	tellLooked(t, looked)
	for _, l := range scan(looked, canaries) {
		t.Error(l)
	}
	plantAndFind(t, s, people[0], canaries)
	desk.plantAndFind(people[3], canaries)
}

// exported waits for the spans of every service that took part, for metrics and for logs.
func exported(s *system.System) error {
	for path, names := range map[string][]string{
		"/v1/traces": {schemas.Intake, schemas.Threshold, schemas.Followup, schemas.Bridging, schemas.Journey,
			schemas.Delivery, schemas.Gateway},
		"/v1/metrics": {schemas.Intake, schemas.Journey}, "/v1/logs": {schemas.Threshold, schemas.Followup},
	} {
		for _, name := range names {
			if !slices.ContainsFunc(s.Collector.Exports(), func(e system.Export) bool {
				return e.Path == path && bytes.Contains(e.Body, []byte(name))
			}) {
				return fmt.Errorf("nothing of %s was exported to %s yet", name, path)
			}
		}
	}
	return nil
}

// tellLooked says what was looked at, and fails where a kind of place was not there at all.
func tellLooked(t *testing.T, looked []place) {
	t.Helper()
	counts, sizes, parked := map[string]int{}, map[string]int{}, 0
	for _, p := range looked {
		counts[p.kind]++
		sizes[p.kind] += len(p.content)
		if strings.HasSuffix(p.where, ".letter") {
			parked++
		}
	}
	for _, kind := range []string{kindSubject, kindHeader, kindBody, kindSpan, kindMetric, kindLog, kindTable, kindArgs,
		kindFile, kindQuery, kindAnswer, kindServerLog, kindMail, kindWebhook, kindFeed, kindStream} {
		if counts[kind] == 0 {
			t.Errorf("no %s was looked at", kind)
		}
	}
	if parked == 0 {
		t.Error("no parked event was looked at")
	}
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("looked at %d places of kind %s, %d bytes", counts[kind], kind, sizes[kind])
	}
}

// plantAndFind leaks on purpose, in every kind of place and in every spelling, and expects to be told.
func plantAndFind(t *testing.T, s *system.System, b birdPerson, canaries []canary) {
	t.Helper()
	spaced := b.nhs[:3] + " " + b.nhs[3:6] + " " + b.nhs[6:]
	s.PublishAs("intake", "footbridge.discharge.recorded.v1."+b.family, []byte(`{}`))
	s.PublishAs("intake", "footbridge.discharge.recorded.v1.a",
		[]byte(`{"x":"`+base64.StdEncoding.EncodeToString([]byte("ab"+b.nhs+"c"))+`"}`))
	s.PublishAs("intake", "footbridge.discharge.recorded.v1.self-harm", []byte(`{"x":"`+url.QueryEscape(spaced)+`"}`))
	planted := func(sql string, args ...any) {
		if _, err := s.Admin().Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	planted(`insert into journey.letter values ('0199f0f2-0000-7000-8000-0000000000aa', 't', 'j', '', '',
		convert_to($1, 'UTF8'), 'r', 'waiting', 0, 'infinity', 'epoch')`, "born "+b.born.Format("2 January 2006"))
	planted(`insert into followup.letter values ('0199f0f2-0000-7000-8000-0000000000ab', 't', 'j', '', '', '{}', $1,
		'dead', 0, 'epoch', 'epoch')`, "could not ring "+b.phone)
	planted(`update journey.journey set known = known || jsonb_build_object('x', $1::text)`, b.postcode)
	planted(`insert into intake.person_lookup values ($1, gen_random_uuid())`, []byte(b.nhs))
	planted(`insert into bridging.idempotency values ('p', 'r', 'k', $1, 200, null, 'epoch')`, []byte(b.email))
	planted(`insert into threshold.directory_version values ($1, 'c', 'epoch')`, reversed(b.local))
	post := func(path, body string) {
		response, err := http.Post(s.Collector.URL+path, "application/x-protobuf", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
	post("/v1/traces", "\x0a\x10http.url/api/people/"+b.given)
	post("/v1/traces", "\x0a\x10partner=Example Peer Organisation")
	post("/v1/metrics", "\x0a\x10person="+b.nhs)
	post("/v1/logs", "\x0a\x10"+spaced)
	_, _ = s.Log.Write([]byte("level=ERROR msg=oops person=" + b.family + "\n"))
	if err := os.WriteFile(filepath.Join(s.StateDir, "dump"), []byte(b.street), 0o600); err != nil {
		t.Fatal(err)
	}
	shown, stop := context.WithCancel(t.Context())
	defer stop()
	visible := exec.CommandContext(shown, "sh", "-c", "read line", b.visit, b.kin)
	visible.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: s.PID()}
	pipe, err := visible.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pipe.Close() }()
	if err := visible.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { stop(); _ = visible.Wait() }()

	// An error quotes what was to be stored, and an answer the id that its sender gave the event.
	if _, err := s.Admin().Exec(t.Context(), `insert into threshold.directory_version values ($1, 'c', 'epoch')`,
		reversed(b.local)); err == nil {
		t.Error("a directory's version was stored twice")
	}
	echo := s.Ask(schemas.System, http.MethodPost, "/events", structured,
		[]byte(event(b.family+"-1", string(schemas.DischargeReported), report("VECHO"))))
	looked := append(places(t, s), serverLog(t, s), place{kindAnswer, "POST /events", echo.Body},
		place{kindMetric, "/metrics", append(s.Metrics(),
			[]byte("\nfootbridge_x{person=\""+hex.EncodeToString([]byte(b.nhs))+"\"} 1\n")...)})
	found := scan(looked, canaries)
	for _, want := range []struct{ kind, where, canary string }{
		{kindSubject, "message", "family name"}, {kindBody, "message", "NHS number"},
		{kindSubject, "message", "a clinical word"},
		{kindTable, "journey.letter", "birth date"}, {kindTable, "followup.letter", "phone"},
		{kindTable, "journey.journey", "postcode"},
		{kindTable, "intake.person_lookup", "NHS number"}, {kindTable, "bridging.idempotency", "e-mail"},
		{kindTable, "threshold.directory_version", "hospital number"},
		{kindSpan, "/v1/traces", "given name"}, {kindSpan, "/v1/traces", "a partner's name"},
		{kindMetric, "/v1/metrics", "NHS number"},
		{kindMetric, "/metrics", "NHS number"}, {kindLog, "/v1/logs", "NHS number"}, {kindLog, "wrote", "family name"},
		{kindServerLog, "PostgreSQL", "hospital number"}, {kindAnswer, "/events", "family name"},
		{kindFile, "dump", "street"}, {kindArgs, "cmdline", "visit number"}, {kindArgs, "cmdline", "next of kin"},
	} {
		if !slices.ContainsFunc(found, func(l leak) bool {
			return l.place.kind == want.kind && strings.Contains(l.place.where, want.where) &&
				strings.HasSuffix(l.canary, want.canary)
		}) {
			t.Errorf("a planted leak was not found: %s in %s %s", want.canary, want.kind, want.where)
		}
	}
	t.Logf("%d planted leaks were found", len(found))
}

func TestTheScannerKnowsEverySpelling(t *testing.T) {
	t.Parallel()
	number, name := "9994567890", "Quillfeather"
	canaries := []canary{identity("number", digits(number, 3, 3)...), identity("name", name),
		identity("born", dates(time.Date(1987, 3, 14, 0, 0, 0, 0, time.UTC))...)}
	for _, spelled := range []string{number, "999 456 7890", "999-456-7890", "999.456.7890", "999%20456%207890",
		"999+456+7890", reversed(number),
		hex.EncodeToString([]byte(number)), strings.ToUpper(hex.EncodeToString([]byte("999 456 7890"))),
		base64.StdEncoding.EncodeToString([]byte(number)),
		base64.URLEncoding.EncodeToString([]byte("x" + number)),
		base64.StdEncoding.EncodeToString([]byte("xy" + number + "z")),
		fmt.Sprintf("%x", hashOf(number)), base64.StdEncoding.EncodeToString(hashOf(number)), "QUILLFEATHER",
		"quillfeather", reversed(name),
		base64.StdEncoding.EncodeToString([]byte("Ms QUILLFEATHER, Z")), "14/03/1987", "19870314", "14 March 1987",
		"1987-03-14T01:00:00"} {
		for _, around := range []string{"%s", "before %s after", `{"a":"%s"}`} {
			if len(scan([]place{{kindBody, "", []byte(fmt.Sprintf(around, spelled))}}, canaries)) == 0 {
				t.Errorf("not found: "+around, spelled)
			}
		}
	}
	// fixed: text that is searched
	for _, innocent := range []string{"9994567891", "999 456", "Quill feat", "2026-11-20", strings.Repeat("QUJD", 50)} {
		if found := scan([]place{{kindBody, "", bytes.Repeat([]byte(innocent+" "), 3)}}, canaries); len(found) > 0 {
			t.Errorf("found where nothing is: %v", found)
		}
	}
}

func hashOf(text string) []byte {
	c := canary{}
	c.addHashes(text)
	return c.exact[6] // SHA-256
}
