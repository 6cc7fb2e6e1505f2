# toy, from a fresh Debian 12: `make demo` runs it, `make check` tests it, `make help` lists the rest.

# Debian's cmake, ninja and compilers come before any other of the same name.
export PATH := /usr/bin:$(PATH)
JOBS ?= $(shell nproc)
MODEL ?=
FUZZ_SECONDS ?= 60

.PHONY: demo check model build deps format tidy lint asan tsan fuzz docs clean help
.DEFAULT_GOAL := help

demo: build  ## Train on built-in stories for a minute and tell one; or describe, run and measure MODEL=path
	@tools/demo.sh $(MODEL)

check: build  ## Install what is missing, build, run every checker and test
	@ctest --preset release -j $(JOBS)

build: deps  ## Build everything; the program is build/toy
	@cmake --preset release
	@cmake --build build -j $(JOBS)

# The targets that need clang 14 and its tools.
format tidy tsan fuzz: DEPS = --lint
deps:
	@tools/install-deps $(DEPS)

model: build  ## Train models/stories.gguf again, the model that the program carries (at most 5 minutes)
	@mkdir -p data && build/tools/story-model data/stories.gguf --expect models/stories.gguf

example_%: build  ## Run a numbered example, e.g. make example_01 MODEL=path
	@tools/example.sh $* $(MODEL)

lint: deps  ## Check floors, table of ops, order of calls, budgets, words and format
	@tools/lint/all

format: deps  ## Format the sources (clang-format-14)
	@tools/lint/sources | xargs clang-format-14 -i

tidy: build  ## Run clang-tidy-14 on the sources; FILES=... narrows it
	@tools/lint/tidy $(FILES)

asan tsan: deps  ## Build and test with the sanitizers of addresses or threads
	@cmake --preset $@
	@cmake --build build-$@ -j $(JOBS)
	@ctest --preset $@ -j $(JOBS)

fuzz: deps  ## Fuzz each parser for FUZZ_SECONDS=60
	@cmake --preset fuzz
	@cmake --build build-fuzz -j $(JOBS) --target fuzz
	@tools/fuzz.sh $(FUZZ_SECONDS)

docs: build  ## Write docs/cli.md from the program's own registry
	@build/toy --markdown > docs/cli.md

clean:  ## Remove the build folders
	rm -rf build build-asan build-tsan build-fuzz

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z_% ]+:.*## / { sub("%", "NN", $$1); printf "  make %-12s %s\n", $$1, $$2 }' Makefile
