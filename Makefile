# Everything that CI does is a target here, under the same name.

GO      ?= go
# The packages where goroutines share state; `make test` runs these again under the race detector.
RACE    := . $(addprefix ./,$(wildcard store webhook api))
FUZZTIME ?= 10s

.DEFAULT_GOAL := help
.PHONY: help build test check bench fuzz run demo dash screenshots clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' Makefile

build: ## build ./giro
	$(GO) build -trimpath -o giro ./cmd/giro

test: ## install what the tests need (Debian, root), vet, all tests, then the race detector where goroutines meet
	@.ci/deps install
	@GIRO_TEST_REQUIRE="$${GIRO_TEST_REQUIRE-$$(.ci/deps have)}" $(MAKE) --no-print-directory test-go

# GIRO_TEST_REQUIRE names what a test may not skip for want of: all that this machine has.
.PHONY: test-go
test-go:
	@echo "no test may skip for want of: $(or $(GIRO_TEST_REQUIRE),(nothing))"
	$(GO) vet ./...
	$(GO) test ./...
	@if command -v gcc >/dev/null; then set -x; $(GO) test -race $(RACE); else echo "SKIPPED: the race detector needs gcc"; fi

check: ## gofmt, vet, the rules of tidy_test.go, and everything under the race detector
	@test -z "$$(gofmt -l .)" || { echo "gofmt -w these:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) test -run Tidy .
	$(GO) test -race ./...

BENCHTIME ?= 3s
bench: ## measure over HTTP on both databases, BENCHTIME (3s) a cell; results are JSON lines
	@.ci/deps install
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 6h ./internal/bench -cell $(BENCHTIME)

.PHONY: bench-small
bench-small: ## measure the main figures alone, with 64 clients, in some minutes
	@.ci/deps install
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 1h ./internal/bench -cell 2s -clients 64 -works payouts,transfers,bulk,object,list,balance,life

.PHONY: microbench
microbench: ## run the Go benchmarks of the parts
	$(GO) test -run '^$$' -bench . -benchmem $$($(GO) list ./... | grep -v /internal/bench)

fuzz: ## run every fuzz target for FUZZTIME (10s)
	@for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; \
	done

run: ## serve on 127.0.0.1:8080, data in ./giro-data
	$(GO) run ./cmd/giro serve --data giro-data

demo: ## serve with sample data
	$(GO) run ./cmd/giro demo

dash: ## build the dashboard from web/ into dash/dist (Node)
	cd web && npm ci --no-audit --no-fund && npm run types && npm run check && npm run build

screenshots: build ## take the pictures of docs/images from giro demo (Node, chromium)
	cd web && npm ci --no-audit --no-fund && node screenshots.mjs ../giro

clean: ## remove what build left
	rm -f giro
