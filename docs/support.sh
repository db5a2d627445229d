#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Writes docs/SUPPORT.md from the heads of the rooms (rust/resource), so that it says what the code says.
# Usage: docs/support.sh > docs/SUPPORT.md        (`make check` compares)
set -eu
cd "$(dirname "$0")/.."
cat <<'HEAD'
<!-- Made by docs/support.sh from the heads of rust/resource; do not edit. -->
# What is supported

The target is a process with its descendants, a job with its orphans, a process alone, or a pid namespace, on x86-64. For each kind of state: what is saved, what is not (and why that does no
harm, or what to know), and what is refused. Refused means: `ckptctl check` and `ckptctl checkpoint` name it with pid, descriptor or
address before the first byte is written, and the program goes on untouched. "Shown by" are the cases of the suite (`make test T=NAME`), by what
their names begin with: those that save and restart it, those that are refused, and those that feed the kernel wrong values of it.

HEAD
for file in rust/resource/*.rs rust/resource/*/*.rs; do
	awk '
		/^\/\/! / || /^\/\/!$/ { sub(/^\/\/! ?/, ""); line[n++] = $0; next }
		n { exit }
		END {
			for (i = 0; i < n; i++) if (line[i] ~ /^(Saved|Not saved|Refused)/) found = 1
			if (!found) exit
			title = line[0]
			sub(/\.$/, "", title); sub(/[:;] .*/, "", title)
			print "## " title "\n"
			for (i = 1; i < n; i++) {
				if (line[i] ~ /^Record: /) break
				if (line[i] ~ /^(Saved|Not saved|Refused[a-z ]*|Shown by):/) { sub(/:/, ":**", line[i]); line[i] = "- **" line[i]; list = 1 }
				else if (line[i] == "") list = 0
				else if (list) line[i] = "  " line[i]
				if (list) { gsub(/\[`[A-Za-z:]*unsupported`\] lists/, "the task cannot carry over", line[i]); print line[i] }
			}
			print ""
		}' "$file"
done
cat <<'TAIL'
## Planned

- The other namespaces in full (other network devices, packet filters, sysctls).
- Descriptors of every kind (other sockets than Unix ones, armed userfaultfds, ...).
- TCP, other processors, restart on another kernel release with another vdso, incremental and lazy memory.
TAIL
