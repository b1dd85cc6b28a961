# Two commands matter: make lab (read the course) and make test (check every number in it).
# On Windows, or with conda, the README has the same steps without make.
PYTHON ?= python3
IN_VENV := .venv/bin/python
# One thread: with two, torch and BLAS on two busy cores slow each other down many times over.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1

.PHONY: lab edit test test-other-cpu bench slides site pdf notebooks grading setup

# The learner's own copy of the lessons, in my_notebooks
lab: setup
	$(IN_VENV) tools/lab.py

# The lessons themselves, for those who write them
edit: setup
	$(IN_VENV) tools/lab.py --source

test: setup
	$(IN_VENV) -m publish.setup_browser
	$(IN_VENV) -m ruff check .
	$(IN_VENV) -m ruff format --check .
# Two runs, since nbval cannot start a kernel while pytest-cov measures
	$(IN_VENV) -m pytest --cov --numprocesses 2 --dist loadfile quantutils publish tests
	$(IN_VENV) -m pytest --numprocesses 2 --dist loadfile notebooks

# The notebooks once more on another processor's arithmetic: torch, MKL and oneDNN are held to AVX2
test-other-cpu: setup
	ATEN_CPU_CAPABILITY=avx2 MKL_ENABLE_INSTRUCTIONS=AVX2 ONEDNN_MAX_CPU_ISA=AVX2 $(IN_VENV) -m pytest --numprocesses 2 --dist loadfile notebooks

# Decks, decks as PDF, the web site: into _build/
slides site pdf: setup
	$(IN_VENV) -m publish $@

# All of it takes well over an hour; .venv/bin/python -m benchmarks NAME measures a part
bench: setup
	$(IN_VENV) -m benchmarks

notebooks: setup
	$(IN_VENV) tools/refresh_notebooks.py

# nbgrader in an environment of its own, and in it one whole round: right, wrong, empty and hostile submissions
grading:
	$(PYTHON) -m venv .venv-grading
	.venv-grading/bin/python -m pip install --quiet -r classroom/requirements-grading.txt -e .
	.venv-grading/bin/python -m classroom.grading_round

setup:
	@command -v $(PYTHON) >/dev/null || { echo "No $(PYTHON) here: install Python 3.11 or newer, or name one you have, as in: make lab PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) tools/setup_venv.py
