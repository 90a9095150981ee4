package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"footbridge/libs/telemetry"
)

func TestWhatTheQueueDoesNotHoldIsDroppedAndCounted(t *testing.T) {
	t.Parallel()
	away, came := make(chan struct{}), make(chan struct{})
	var once sync.Once
	h := telemetry.NewHandOver(telemetry.HandOverConfig{LinkKey: link, Queue: 4, Every: time.Millisecond,
		Take: func(ctx context.Context, _ []*tracepb.ResourceSpans) error {
			once.Do(func() { close(came) })
			select {
			case <-away:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}})
	t.Cleanup(h.Close)
	tracer := start(t, telemetry.Config{HandOver: h}).Tracer("x")
	end := func() { _, span := tracer.Start(context.Background(), "work"); span.End() }
	end()
	<-came // the taker is busy with the first: what follows waits in the queue
	for range 10 {
		end()
	}
	if got := h.Counts(); got.Dropped != 6 || got.Handed != 0 {
		t.Errorf("while nobody takes them: %+v", got)
	}
	close(away)
	if err := h.ForceFlush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := h.Counts(); got.Handed != 5 || got.Dropped != 6 {
		t.Errorf("in the end: %+v", got)
	}
}

func TestSpansAreOfferedAgainUntilTheyAreTaken(t *testing.T) {
	t.Parallel()
	tries := 0
	h := telemetry.NewHandOver(telemetry.HandOverConfig{LinkKey: link, Every: time.Millisecond,
		Take: func(context.Context, []*tracepb.ResourceSpans) error {
			if tries++; tries < 3 {
				return errors.New("not now")
			}
			return nil
		}})
	t.Cleanup(h.Close)
	_, span := start(t, telemetry.Config{HandOver: h}).Tracer("x").Start(context.Background(), "work")
	span.End()
	if err := h.ForceFlush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := h.Counts(); got.Handed != 1 || tries != 3 {
		t.Errorf("%+v after %d tries", got, tries)
	}
}

func TestWhatIsRefusedIsNotOfferedAgain(t *testing.T) {
	t.Parallel()
	h := telemetry.NewHandOver(telemetry.HandOverConfig{LinkKey: link, Every: time.Millisecond,
		Take: func(context.Context, []*tracepb.ResourceSpans) error {
			return fmt.Errorf("%w: too old", telemetry.ErrRefused)
		}})
	t.Cleanup(h.Close)
	_, span := start(t, telemetry.Config{HandOver: h}).Tracer("x").Start(context.Background(), "work")
	span.End()
	if err := h.ForceFlush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := h.Counts(); got.Refused != 1 {
		t.Errorf("%+v", got)
	}
}

// Two processes see the same journeys in other batches, one of them much more besides: what both keep of a journey is
// whole, and what failed is there.
func TestEveryProcessKeepsTheSameStories(t *testing.T) {
	t.Parallel()
	stories := make([]string, 400)
	for i := range stories {
		stories[i] = fmt.Sprintf("0196b3a4-7f2c-7d10-9a55-%012d", i*7919)
	}
	keptBy := func(halved int) (map[string]bool, *kept) {
		spans := storeHalved(t, halved)
		tracer := start(t, telemetry.Config{HandOver: spans.HandOver}).Tracer("x")
		for _, story := range stories {
			_, span := tracer.Start(context.Background(), "work", trace.WithAttributes(attribute.String(link, story)))
			span.End()
		}
		_, failed := tracer.Start(context.Background(), "failing", trace.WithAttributes(attribute.String(link, "none")))
		failed.SetStatus(codes.Error, "")
		failed.End()
		names := map[string]bool{}
		for _, s := range spans.Linked("") {
			names[s.Attributes[link]] = true
		}
		return names, spans
	}
	quarter, _ := keptBy(2)
	eighth, _ := keptBy(3)
	if len(quarter) < 60 || len(quarter) > 145 || len(eighth) < 25 || len(eighth) > 80 {
		t.Errorf("%d of a quarter and %d of an eighth of 400 are kept", len(quarter), len(eighth))
	}
	for story := range eighth {
		if !quarter[story] {
			t.Errorf("%s is kept by one process and not by the other", story)
		}
	}
	if !quarter["none"] || !eighth["none"] {
		t.Error("what failed is not kept")
	}
}

// A batch of many journeys is kept with the links only of those that are.
func TestABatchKeepsTheLinksOfStoriesThatAreKept(t *testing.T) {
	t.Parallel()
	spans := storeHalved(t, 2)
	tracer := start(t, telemetry.Config{HandOver: spans.HandOver}).Tracer("x")
	parent := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	var links []trace.Link
	for i := range 64 {
		l, _ := telemetry.LinkFrom(parent, attribute.String(link, fmt.Sprintf("story %d", i*7919)))
		links = append(links, l)
	}
	_, span := tracer.Start(context.Background(), "batch", trace.WithLinks(links...))
	span.End()
	got := spans.Linked("")
	if len(got) != 1 || len(got[0].Links) < 4 || len(got[0].Links) > 32 {
		t.Fatalf("kept: %+v", got)
	}
}

// However few traces keeps, what a collector is named for goes there complete.
func TestACollectorGetsEverySpanWhateverTracesKeeps(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	got := map[string]bool{}
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, err := telemetry.ReadExport(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, span := range telemetry.SpansOf(sent, link, "", nil) {
			got[span.SpanID] = true
		}
	}))
	t.Cleanup(collector.Close)
	spans := storeHalved(t, 20)
	tel := start(t, telemetry.Config{HandOver: spans.HandOver, Getenv: env("OTEL_EXPORTER_OTLP_ENDPOINT",
		collector.URL, "OTEL_METRICS_EXPORTER", "none", "OTEL_LOGS_EXPORTER", "none")})
	const all = 1500
	for i := range all {
		_, span := tel.Tracer("x").Start(context.Background(), "work", trace.WithAttributes(attribute.String(link,
			fmt.Sprintf("story %d", i*7919))))
		span.End()
	}
	if err := tel.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if left := spans.Counts().Left; len(got) != all || left < all-10 {
		t.Errorf("the collector got %d of %d spans, and traces left %d out", len(got), all, left)
	}
}
