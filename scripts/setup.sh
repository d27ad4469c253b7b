#!/usr/bin/env bash
# Installs the Debian packages the build, the demo and the tests need. Quick
# when nothing is missing.
set -euo pipefail
packages=(gcc g++ make pkg-config ca-certificates chromium fonts-inter)
commands=(gcc g++ make pkg-config - chromium -)
missing=()
for i in "${!packages[@]}"; do
	dpkg-query -W -f '${Status}' "${packages[$i]}" 2>/dev/null | grep -q 'ok installed' && continue
	[ "${commands[$i]}" != - ] && command -v "${commands[$i]}" >/dev/null && continue
	missing+=("${packages[$i]}")
done
for tool in go node npm; do
	command -v "$tool" >/dev/null || { echo "setup: $tool is missing: install Go 1.26 or newer and Node 20 or newer" >&2; exit 1; }
done
[ ${#missing[@]} -eq 0 ] && exit 0
echo "setup: installing ${missing[*]}"
sudo=()
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || { echo "setup: run as root or install sudo; missing: ${missing[*]}" >&2; exit 1; }
	sudo=(sudo)
fi
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
