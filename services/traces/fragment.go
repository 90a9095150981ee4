package traces

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"footbridge/libs/telemetry"
	"footbridge/schemas"
)

// fragment is what one service did in one trace, as far as it came in one batch.
type fragment struct {
	ID       string
	Trace    []byte
	Service  string
	Works    []string
	Micros   []int64
	Failed   bool
	Spans    int
	Journeys []string
	OTLP     []byte

	began time.Time
	sent  *tracepb.ResourceSpans
}

// packing turns spans into rows, and rows into spans.
type packing struct {
	pressed *zstd.Encoder
	opened  *zstd.Decoder
}

// maxUnpacked bounds what one row may hold, in bytes.
const maxUnpacked = 16 << 20

func newPacking() (packing, error) {
	pressed, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return packing{}, fmt.Errorf("preparing compression: %w", err)
	}
	opened, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxUnpacked))
	if err != nil {
		return packing{}, fmt.Errorf("preparing decompression: %w", err)
	}
	return packing{pressed, opened}, nil
}

// fragmentsOf sorts spans by trace and service, with nothing but what may be kept.
func fragmentsOf(sent []*tracepb.ResourceSpans, sieve *sieve) []fragment {
	type key struct{ trace, service string }
	at := map[key]int{}
	var all []fragment
	for _, group := range sent {
		service := sieve.service(group)
		for _, scope := range group.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				if len(span.GetTraceId()) != 16 || len(span.GetSpanId()) != 8 {
					continue
				}
				k := key{string(span.GetTraceId()), service}
				i, seen := at[k]
				if !seen {
					i = len(all)
					at[k] = i
					all = append(all, fragment{Trace: span.GetTraceId(), Service: service,
						sent: &tracepb.ResourceSpans{Resource: resourceOf(service),
							ScopeSpans: []*tracepb.ScopeSpans{{}}}})
				}
				sieve.span(span)
				into := all[i].sent.ScopeSpans[0]
				into.Spans = append(into.Spans, span)
			}
		}
	}
	for i := range all {
		all[i].sum()
	}
	return all
}

func resourceOf(service string) *resourcepb.Resource {
	return &resourcepb.Resource{Attributes: []*commonpb.KeyValue{{Key: schemas.AttrServiceName,
		Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: service}}}}}
}

// sum fills the columns that are searched. The id follows from the spans.
func (f *fragment) sum() {
	longest, digest := map[string]int64{}, sha256.New()
	digest.Write(f.Trace)
	digest.Write([]byte(f.Service))
	first := uint64(0)
	for _, span := range f.sent.ScopeSpans[0].Spans {
		digest.Write(span.GetSpanId())
		f.Spans++
		f.Failed = f.Failed || span.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR
		if start := span.GetStartTimeUnixNano(); first == 0 || start < first {
			first = start
		}
		took := int64(span.GetEndTimeUnixNano()-span.GetStartTimeUnixNano()) / 1000
		longest[span.GetName()] = max(longest[span.GetName()], took)
		f.Journeys = append(f.Journeys, journeysOf(span)...)
	}
	slices.Sort(f.Journeys)
	f.Journeys = slices.Compact(f.Journeys)
	for name := range longest {
		f.Works = append(f.Works, name)
	}
	slices.SortFunc(f.Works, func(a, b string) int {
		return cmp.Or(cmp.Compare(longest[b], longest[a]), cmp.Compare(a, b))
	})
	for _, name := range f.Works {
		f.Micros = append(f.Micros, longest[name])
	}
	f.began = time.Unix(0, int64(first)).UTC()
	f.ID = idOf(f.began, digest.Sum(nil))
}

// idOf is a UUIDv7 of an instant, with the rest taken from a digest.
func idOf(at time.Time, digest []byte) string {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16)
	copy(id[6:], digest)
	id[6] = 0x70 | id[6]&0x0f
	id[8] = 0x80 | id[8]&0x3f
	text := hex.EncodeToString(id[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

// journeysOf are the journeys that a span or its links name.
func journeysOf(span *tracepb.Span) (all []string) {
	name := func(attributes []*commonpb.KeyValue) {
		for _, kv := range attributes {
			if kv.GetKey() != schemas.AttrJourney {
				continue
			}
			if one := kv.GetValue().GetStringValue(); one != "" {
				all = append(all, one)
			}
			for _, one := range kv.GetValue().GetArrayValue().GetValues() {
				all = append(all, one.GetStringValue())
			}
		}
	}
	name(span.GetAttributes())
	for _, link := range span.GetLinks() {
		name(link.GetAttributes())
	}
	return all
}

// pack compresses the spans of each fragment.
func (p packing) pack(fragments []fragment) error {
	for i, f := range fragments {
		text, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{f.sent}})
		if err != nil {
			return fmt.Errorf("%w: %w", telemetry.ErrRefused, err)
		}
		fragments[i].OTLP = p.pressed.EncodeAll(text, nil)
	}
	return nil
}

// unpack is what pack made, for the spans of several rows.
func (p packing) unpack(rows [][]byte) (*tracepb.TracesData, error) {
	all := &tracepb.TracesData{}
	for _, row := range rows {
		text, err := p.opened.DecodeAll(row, nil)
		if err != nil {
			return nil, fmt.Errorf("unpacking spans: %w", err)
		}
		var one tracepb.TracesData
		if err := proto.Unmarshal(text, &one); err != nil {
			return nil, fmt.Errorf("reading spans: %w", err)
		}
		all.ResourceSpans = append(all.ResourceSpans, one.ResourceSpans...)
	}
	return all, nil
}
