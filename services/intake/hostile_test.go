package intake

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"footbridge/libs/hl7"
	"footbridge/services/intake/reading"
)

// hostileMessages are of the largest size that is taken, made to cost as much as they can.
func hostileMessages() map[string]string {
	const size = 1<<20 - 400
	head := "MSH|^~\\&|EPR|RXX|B|C|20261120||ADT^A04|H1|P|2.4%s\rEVN|A04|20261120\rPID|1||%s\rPV1|1|E|%s\rPV2|||%s\r"
	with := func(charset, pid, pv1, pv2, tail string) string {
		return fmt.Sprintf(head, charset, pid, pv1, pv2) + tail
	}
	fill := func(piece string) string { return strings.Repeat(piece, size/len(piece)) }
	var made strings.Builder // what no index compresses
	for r := rand.New(rand.NewPCG(1, 2)); made.Len() < size; {
		made.WriteString(strconv.FormatUint(r.Uint64(), 36))
	}
	noise := made.String()
	return map[string]string{
		"endless segments":           with("", "L42^^^RXX^MR", "", "", fill("ZZZ|x\r")),
		"endless diagnoses":          with("", "L42^^^RXX^MR", "", "", fill("DG1|||a\r")),
		"endless continuation lines": with("", "L42^^^RXX^MR", "", "", "NTE|1||"+fill("a\r")),
		"a million field separators": with("", "L42^^^RXX^MR", fill("|"), "", ""),
		"a million repetitions":      with("", fill("~")+"L42^^^RXX^MR", "", "", ""),
		"repeated local numbers":     with("", fill("1^^^RXX^MR~"), "", "", ""),
		"repeated NHS numbers":       with("", fill("9990000107^^^NHS^NH~"), "", "", ""),
		"repeated reasons":           with("", "L42^^^RXX^MR", "", fill("a~"), ""),
		"reasons of unknown systems": with("", "L42^^^RXX^MR", "", fill("a^b^c~"), ""),
		"a million components":       with("", "L42"+fill("^"), "", "", ""),
		"a million subcomponents":    with("", "L42"+fill("&"), "", "", ""),
		"nothing but escapes":        with("", "L42^^^RXX^MR", "", "^"+fill("\\.br\\"), ""),
		"escapes that never end":     with("", "L42^^^RXX^MR", "", "^"+fill("\\X"), ""),
		"bytes of no character set":  with("|||||UNICODE UTF-8", "L42^^^RXX^MR", "", "^"+fill("\xff\xfe"), ""),
		"a character set nobody has": with("|||||ISO IR87", "L42^^^RXX^MR", "", "^"+fill("\x1b$B"), ""),
		"a text that grows in UTF-8": with("|||||8859/15", "L42^^^RXX^MR", "", "^"+fill("\xa4"), ""),
		"NULs":                       with("", "L42^^^RXX^MR", "", "^"+fill("\x00"), ""),
		"a long control id":          strings.Replace(with("", "L42^^^RXX^MR", "", "", ""), "H1", noise, 1),
		"a long application":         strings.Replace(with("", "L42^^^RXX^MR", "", "", ""), "EPR", noise, 1),
		"a long facility":            strings.Replace(with("", "L42^^^RXX^MR", "", "", ""), "RXX", noise, 1),
		"a long visit number":        with("", "L42^^^RXX^MR", "||||||||||||||||"+noise, "", ""),
		"a long local number":        with("", noise+"^^^RXX^MR", "", "", ""),
	}
}

// brokenOfThem say more than one message may: a human looks at them.
var brokenOfThem = []string{"endless diagnoses", "repeated reasons", "reasons of unknown systems", "a long control id",
	"a long facility", "a long visit number"}

// TestAHostileMessageCostsLittleAndIsAnswered over one connection, each followed by a good one.
func TestAHostileMessageCostsLittleAndIsAnswered(t *testing.T) { // not parallel: it measures memory
	p := newSite(t).start()
	for name, text := range hostileMessages() {
		before := allocated()
		message, err := hl7.Parse([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		reading.ReadHL7(message, p.profiles, morning)
		if taken := allocated() - before; taken > 16<<20 {
			t.Errorf("%s: reading it allocates %d KiB", name, taken>>10)
		}
	}
	client, h := p.dial(t), newHospital()
	for name, text := range hostileMessages() {
		answer, err := client.Send(t.Context(), []byte(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		ack, err := hl7.ParseAck(answer)
		want := "AA"
		if slices.Contains(brokenOfThem, name) {
			want = "AE"
		}
		if err != nil || len(answer) > 4000 || ack.Code != want {
			t.Errorf("%s: answered with %s, %d bytes, %v", name, ack.Code, len(answer), err)
		}
		if good := send(t, client, h.message("A04")); good.Code != "AA" {
			t.Errorf("after %s: a good one is answered %+v", name, good)
		}
	}
}
