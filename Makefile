# Footbridge. `make help` lists what there is; every target works from a clean clone.

export GOFLAGS := $(strip $(GOFLAGS) -trimpath)
MODULES := schemas libs services tests
# A digest of what make generate may change; staticcheck is a tool of the module tests.
GENERATED := git ls-files -co --exclude-standard schemas docs services deploy/observability | xargs sha256sum | sha256sum
# Event rates and faults of the longer runs; see docs/performance.md and docs/faults.md.
FAULTS ?= $(or $(N),300)

.DEFAULT_GOAL := help
.PHONY: help demo run test test-days test-race test-foreign properties fuzz fault model bench bench-large check build generate pictures browser frontend postgres

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build ## one made-up person, from the hospital's message to the closing, then the console (DEMO_EXIT=1: stop after the story)
	@./bin/footbridge demo

run: build ## everything in one process; state is kept in ./.footbridge/
	@./bin/footbridge dev

build: postgres frontend ## bin/footbridge, one static binary with every service in it
	@CGO_ENABLED=0 go build -o bin/footbridge footbridge/services/footbridge

test: postgres browser ## every test of every module, with real NATS and real PostgreSQL
	@./tests/run.sh

test-race: postgres browser ## the same with the race detector (slower)
	@./tests/run.sh -race

test-days: postgres frontend ## the tests that know of days, as if the clocks changed, on a leap day, at the end of a year, 400 days ahead (DAYS="2027-01-01 …")
	@./tests/days.sh $(DAYS)

test-foreign: postgres build ## messages of others, where ../shared/data holds them
	@go test -timeout 15m -tags foreign -count=1 -run 'Foreign|Simulat' footbridge/libs/hl7 footbridge/libs/fhir footbridge/services/intake footbridge/services/threshold/criteria
	@go test -timeout 15m -tags foreign -count=1 -v footbridge/tests/foreign

properties: postgres ## the property tests, CHECKS cases each (1,000), other ones each time
	@./tests/properties.sh

fuzz: ## every fuzz target, FUZZTIME each (10m)
	@./tests/fuzz.sh

fault: postgres ## kill, pause, delete and roll back, N times (300), in the order of SEED (drawn and printed), and count; one that was cut goes on
	@FAULTS=$(FAULTS) SEED=$(SEED) ./tests/fault/run.sh

model: ## the exchange of events as a model, searched exhaustively by spin (apt-get install spin gcc)
	@./tests/model/check.sh

bench: build ## the goals and the pipeline, as ratios to the limits measured in the same run (BENCH="--markdown docs/performance.md" writes them there)
	@go run footbridge/tests/load/cmd/bench $(BENCH)
	@go test -run '^$$' -bench 'BesideHandWritten|SixtyServicesToFifteen|FindGaps' -benchtime 2s -timeout 10m footbridge/services/threshold/criteria
	@go test -run '^$$' -bench SickEndpoints -benchtime 3x -timeout 10m footbridge/services/delivery

bench-large: build ## the same work whatever is stored: at 200,000 and 1,000,000 journeys (LARGE) and 5,000,000 calls to come (TIMERS), and the rate on top of STORED; 70 GB for a million; a search in 1,000,000 stored spans (SPANS)
	@for n in $(or $(LARGE),200000 1000000); do FLAT_STORED=$$n go test -count=1 -timeout 60m -v -run WorkStaysTheSame footbridge/tests/load || exit 1; done
	@TIMERS_STORED=$(or $(TIMERS),5000000) go test -count=1 -timeout 60m -v -run TimersCost footbridge/tests/load
	@TRACES_SPANS=$(or $(SPANS),1000000) go test -count=1 -timeout 30m -v -run ASearchReadsLittle footbridge/services/traces
	@go run footbridge/tests/load/cmd/bench --only footbridge --million --stored $(or $(STORED),1000000)

check: ## formatting, vet, linters, module edges, generated files current, the architecture's rules, alert rules, the descriptions by public linters, docs links
	@unformatted=$$(gofmt -l $(MODULES)); test -z "$$unformatted" || { echo "run gofmt -w on: $$unformatted"; exit 1; }
	@for m in $(MODULES); do (cd $$m && GOWORK=off go vet ./... && GOWORK=off go mod tidy -diff) || { echo "module $$m does not stand by itself"; exit 1; }; done
	@go vet -tags failpoints,fulldisk,foreign footbridge/libs/flow footbridge/services/footbridge footbridge/libs/hl7 footbridge/libs/fhir footbridge/services/intake footbridge/services/threshold/criteria footbridge/tests/foreign
	@for m in $(MODULES); do (cd $$m && go tool staticcheck ./...) || exit 1; done
	@before=$$($(GENERATED)); $(MAKE) --no-print-directory generate; test "$$before" = "$$($(GENERATED))" || { echo "generated files were not current; commit what make generate changed"; exit 1; }
	@./tools/promtool/check.sh
	@./tools/apicheck/check.sh
	@go test -timeout 5m footbridge/tests/arch

generate: ## schemas, AsyncAPI, OpenAPI, tables in docs/ from the Go types, docs/commands.md from the command line, Grafana dashboards
	@cd schemas && go generate ./...
	@cd services/footbridge && go generate .
	@cd tests/dashboards && go generate .

pictures: postgres browser ## the pictures of the main pages in docs/guides/pages.md, made again
	@FOOTBRIDGE_PICTURES=1 go test -timeout 10m -count=1 -run TheGuideShowsTheMainPages footbridge/tests/browser

simulated: build ## docs/simulated made again: ninety days of a small place, its pictures, and what one person reads
	@bin/footbridge sim --days 90 --discharges 40 --seed 3 --out docs/simulated
	@rm docs/simulated/log.jsonl docs/simulated/page.html

frontend:
	@./tools/frontend/ensure.sh

browser:
	@./tests/browser/ensure.sh > /dev/null

postgres:
	@./tools/postgres/ensure.sh
