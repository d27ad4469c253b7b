# The default target lists the others. Everything a fresh Debian machine lacks
# is installed by the targets that need it, and said.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

include scripts/native.mk

# netgo and osusergo: with the private C library of build/native the resolver of
# the host's C library must not be loaded into the process.
TAGS  := sqlite_fts5 whisper netgo osusergo ui
GO    := go
TEST  := $(GO) test -tags "$(TAGS)" -ldflags "$(LINK)"
RACE  := ./engine ./engine/queue ./engine/store ./engine/speech ./engine/audio ./billing/... ./crm/... ./web/... ./internal/appliance
FUZZ_SECONDS ?= 30
GOLANGCI := build/tools/golangci-lint
GOVULN   := build/tools/govulncheck

.PHONY: help run test e2e build lint vulns fuzz bench torture ui whisper emulators setup clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

run: build ## set up what is missing, build, start the demo and show the first dialogue
	bin/flysense-demo

test: setup whisper ui ## every test: Go with the real engine, race detector, pages in Chromium
	$(GO) vet -tags "$(TAGS)" ./...
	$(GO) vet -tags sqlite_fts5 ./... # the stubs of a build without speech and pages
	$(TEST) -timeout 25m ./...
	$(TEST) -race -short -timeout 20m $(RACE)
	$(MAKE) --no-print-directory e2e

e2e: build
	scripts/e2e.sh

build: setup whisper ui ## bin/flysense and bin/flysense-demo
	@mkdir -p bin
	$(GO) build -tags "$(TAGS)" -ldflags "$(LINK) -X main.version=$$(git describe --tags --always --dirty 2>/dev/null || echo dev)" -o bin/ ./cmd/...

setup: ## install the Debian packages that are missing
	@scripts/setup.sh

whisper: setup

ui: web/ui/dist/index.html ## build the pages

web/ui/dist/index.html: $(shell find web/ui -path web/ui/node_modules -prune -o -path web/ui/dist -prune -o -type f -print 2>/dev/null)
	scripts/setup.sh
	cd web/ui && { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund --loglevel=error; } && npm run build
	@touch $@

lint: whisper ui $(GOLANGCI) ## vet, golangci-lint, layout, type check of the pages
	$(GOLANGCI) run --build-tags "$(TAGS)" ./...
	$(TEST) ./internal/layout
	cd web/ui && npm run typecheck

vulns: whisper ui $(GOVULN) ## known vulnerabilities; needs the Go vulnerability database (GOVULNDB names a copy of it)
	$(GOVULN) $(if $(GOVULNDB),-db $(GOVULNDB)) -tags "$(TAGS)" ./...

$(GOLANGCI):
	GOFLAGS= GOBIN=$(CURDIR)/build/tools $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.12.2

$(GOVULN):
	GOFLAGS= GOBIN=$(CURDIR)/build/tools $(GO) install golang.org/x/vuln/cmd/govulncheck@v1.8.0

fuzz: whisper ui ## every fuzz target for FUZZ_SECONDS each
	scripts/fuzz.sh "$(TAGS)" "$(LINK)" $(FUZZ_SECONDS)

bench: whisper ui ## Go benchmarks
	$(TEST) -run '^$$' -bench . -benchmem ./...

torture: build ## the long counts: kills, tampering, word error rate on the large set
	FLYSENSE_TORTURE=1 $(TEST) -timeout 5h -v ./billing/... ./engine/audio ./engine/speech ./internal/appliance

emulators: build ## only the emulated portal, to try another client on
	bin/flysense-demo --portal-only

clean: ## remove what was built; the native prefix and the node modules too
	rm -rf bin build web/ui/dist web/ui/node_modules web/e2e/node_modules
