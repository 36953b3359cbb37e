# make demo and make test need Go and make alone; interop and bench also Python.
GO      ?= go
FUZZ    ?= 6s
# The GCS client without its gRPC extras, which nothing here uses, and Arrow with the JSON of the standard library:
# two fifths of the time that a first build takes.
export GOFLAGS += -tags=disable_grpc_modules,arrow_json_stdlib
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
BUILD   := build
# What has goroutines, and what they share.
RACE    := . ./filter ./job ./job/access ./job/diff ./job/erase ./job/run ./job/runs ./job/verify ./job/internal/holdings ./job/internal/objstore/... ./job/internal/source/... ./job/parquet/rewrite ./job/parquet/pick

# One static binary; and builds, tests and checks share what is compiled.
export CGO_ENABLED := 0

.PHONY: build demo test test-disk check fuzz interop bench clean

build:
	$(GO) build -ldflags '-X main.version=$(VERSION)' -o assent .

# A marketplace, a run over it, and what the run says of itself.
demo: build
	@rm -rf $(BUILD)/demo
	./assent sample --to $(BUILD)/demo
	./assent run --table -c $(BUILD)/demo/job.yaml
	./assent runs --table -c $(BUILD)/demo/job.yaml

test:
	$(GO) test -timeout 30m ./...

# The tests of files, links, crashes and losses of power, on the file system that TMPDIR is on.
test-disk:
	$(GO) test -short -run 'File|Disk|Power' ./job/access ./job/run ./job/internal/objstore/...

# What every change must pass. FUZZ=1m make check is the long form.
check:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'gofmt: run gofmt -w'; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) run scripts/longest.go
	scripts/govulncheck
	$(GO) mod tidy -diff
	CGO_ENABLED=1 $(GO) test -race -short -timeout 30m $(RACE)
	$(MAKE) fuzz FUZZ=$(FUZZ)

# Every fuzz target for $(FUZZ).
fuzz:
	scripts/fuzz $(FUZZ)

# Other programs read what a run writes, and decide the same by themselves.
interop: build
	scripts/interop/run

# The yardsticks, against DuckDB and Polars.
bench: build
	scripts/bench/run

clean:
	rm -rf assent $(BUILD)
