# The few commands of this project; each installs what is missing first (tools/bootstrap.sh).
.PHONY: help setup demo stop test check bench soak clean

help:
	@echo "make demo    start everything with the demo district  (PORT=8080 DETACH=1 DEMO=small|month)"
	@echo "make stop    stop what make demo started"
	@echo "make test    the whole suite on services of its own   (ARGS='tests/grid -x')"
	@echo "make check   what must be green before a change goes in"
	@echo "make bench   every figure beside its floor            (ONLY=health KEEP=folder)"
	@echo "make soak    long fault series                        (MINUTES=30)"
	@echo "make clean   stop, and remove .local and .venv"

setup:
	@tools/bootstrap.sh tests

demo:
	@tools/bootstrap.sh
	@.venv/bin/zjw run --demo $(or $(DEMO),small) $(if $(PORT),--port $(PORT)) $(if $(filter 1 yes true,$(DETACH)),--detach)

stop:
	@if [ -x .venv/bin/zjw ]; then .venv/bin/zjw stop; fi

test: setup
	@.venv/bin/zjw services test .venv/bin/pytest -q -n 2 $(ARGS)

check: setup
	@tools/check.sh

bench: setup
	@.venv/bin/python -m bench $(if $(ONLY),--only $(ONLY)) $(if $(KEEP),--keep $(KEEP))

soak: setup
	@.venv/bin/python -m tests.soak --minutes $(or $(MINUTES),30)

clean:
	@tools/clean.sh
