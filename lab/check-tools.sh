#!/bin/sh
# Says what is missing on this machine, and how to get it. Argument: the Python to use.
python=${1:-python3}
missing=0
say() { echo "$1" >&2; missing=1; }

if ! command -v "$python" >/dev/null 2>&1; then
  say "$python is missing. Install Python 3.11 or later (apt-get install python3 python3-venv), or name another: make PYTHON=python3.12 …"
elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  say "$python is $("$python" --version 2>&1), and 3.11 or later is needed. Name another one: make PYTHON=python3.12 …"
elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  say "$python cannot make virtual environments. Install the module: apt-get install python3-venv"
fi
if ! command -v node >/dev/null 2>&1; then
  say "Node.js is missing: the AWS CDK runs on it. Install version 22 or later: from nodejs.org, or apt-get install nodejs npm where your distribution has it"
elif ! node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)'; then
  say "Node.js is $(node --version), and 20 or later is needed (22 is recommended): see nodejs.org, or your distribution's newer packages"
elif ! command -v npm >/dev/null 2>&1; then
  say "npm is missing. Install it: apt-get install npm"
fi
exit $missing
