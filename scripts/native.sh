#!/bin/bash
# Provides whisper.cpp for package engine/whisper under build/native:
#
#   native.sh debian          unpacks Debian's own packages into a private prefix
#   native.sh site PREFIX     points at a site's own build
#   native.sh system          points at the library that pkg-config knows
#   native.sh auto            what whisper-src.sh built; else the system's if it is
#                             new enough; else Debian's
#
# The host is never changed and root is not needed. What engine/whisper needs to
# be told ends in build/native/pkgconfig/flysense-whisper.pc: that package alone
# reads it, so no other C code is compiled anew when it changes. What was
# unpacked is written to build/native/sbom.json.
set -euo pipefail

suite=forky # the Debian release that carries the packages; it stays this one after it is released
min_whisper=1.9
min_ggml=0.27

here=$(cd "$(dirname "$0")/.." && pwd)
native=${NATIVE:-$here/build/native}
pc=$native/pkgconfig/flysense-whisper.pc
sbom=$native/sbom.json

say() { echo "whisper: $*"; }
die() {
	echo "whisper: $*" >&2
	exit 1
}

other_roads="Other roads: 'make whisper WHISPER_PREFIX=/path' uses a build of your own, 'make whisper-src SRC=/path/to/whisper.cpp BACKEND=cpu|cuda|vulkan' makes one."

[[ $native != *[[:space:]]* ]] || die "the path $native has a space in it, which the linker's options cannot carry: move the checkout."

# complete KEY: whether the prefix was made by this script in this way already,
# and nobody took the library away since.
complete() {
	[[ -f $pc && -f $sbom && $(cat "$native/made" 2>/dev/null) == "$1" ]] || return
	local lib
	lib=$(sed -n 's/^Libs: -L\([^ ]*\).*/\1/p' "$pc")
	[[ -z $lib || -e $lib/libwhisper.so ]]
}

# key WORDS...: names a way of making the prefix; another script makes it anew.
key() { echo "$* $native $(sha256sum <"$0" | cut -c1-16)"; }

# write_pc LIBDIR INCLUDEDIR [LINKER]: RPATH instead of RUNPATH, because only
# RPATH counts for the libraries' own dependencies. With LINKER the program runs
# on the prefix's own C library: the host's may be too old for these packages.
write_pc() {
	local flags="-Wl,--disable-new-dtags -Wl,-rpath,$1 -Wl,--allow-shlib-undefined"
	[[ -z ${3:-} ]] || flags+=" -Wl,--dynamic-linker=$3"
	mkdir -p "${pc%/*}"
	cat >"$pc.new" <<-END
		Name: flysense-whisper
		Description: whisper.cpp as engine/whisper links it
		Version: 1
		Cflags: -I$2
		Libs: -L$1 $flags -lwhisper -lggml -lggml-base -ldl
	END
	mv "$pc.new" "$pc"
}

# derive_sources DIR: the machine's own Debian sources with the suite changed;
# the mirror and the key stay. Sources that carry no Debian release are left
# out, and so is one that asks not to be checked.
derive_sources() {
	local file
	local own=" ${VERSION_CODENAME:-none} stable oldstable testing unstable sid "
	shopt -s nullglob
	for file in /etc/apt/sources.list.d/*.sources; do
		awk -v own="$own" -v suite="$suite" '
			function flush() {
				if (deb && main && release && !unsafe) printf "%s\n", text
				text = field = ""; deb = main = release = unsafe = 0
			}
			/^[[:space:]]*$/ { flush(); next }
			/^#/ { next }
			/^[^[:space:]]/ { field = tolower($0); sub(/:.*/, "", field) }
			{ value = $0; if ($0 !~ /^[[:space:]]/) sub(/^[^:]*:/, "", value); n = split(value, word) }
			field == "types" { for (i = 1; i <= n; i++) if (word[i] == "deb") deb = 1; next }
			field == "components" { for (i = 1; i <= n; i++) if (word[i] == "main") main = 1; next }
			field == "suites" { for (i = 1; i <= n; i++) if (index(own, " " word[i] " ")) release = 1; next }
			field == "enabled" { if (value ~ /no/) unsafe = 1; next }
			field == "trusted" || field ~ /^allow-/ { if (value ~ /yes/) unsafe = 1; next }
			field == "check-valid-until" || field == "valid-until-max" { next }
			{ if (text == "") text = "Types: deb\nSuites: " suite "\nComponents: main\n"; text = text $0 "\n" }
			END { flush() }
		' "$file" >"$1/$(basename "$file")"
	done
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[[ -f $file ]] || continue
		awk -v own="$own" -v suite="$suite" '
			$1 != "deb" { next }
			{
				options = ""; rest = $0; sub(/^[[:space:]]*deb[[:space:]]+/, "", rest)
				if (match(rest, /^\[[^]]*\][[:space:]]*/)) { options = substr(rest, 1, RLENGTH); rest = substr(rest, RLENGTH + 1) }
				n = split(rest, word); main = 0
				for (i = 3; i <= n; i++) if (word[i] == "main") main = 1
				if (!main || !index(own, " " word[2] " ") || options ~ /trusted=yes|allow-[a-z-]*=yes/) next
				print "deb " options word[1] " " suite " main"
			}
		' "$file" >"$1/$(basename "$file")"
	done
	find "$1" -type f -empty -delete
}

# private_apt TOOL ARGS...: apt with directories of its own. Signatures are
# checked as everywhere: against the keys that the sources name.
private_apt() {
	local tool=$1
	shift
	"$tool" -q -o Dir::State="$work/state" -o Dir::State::status="$work/state/status" -o Dir::Cache="$work/cache" \
		-o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/sources" \
		-o Dir::Etc::preferences="$work/preferences" -o Dir::Etc::preferencesparts=/dev/null \
		-o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none -o Acquire::Retries=3 \
		-o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
		-o Acquire::AllowInsecureRepositories=false -o Acquire::AllowDowngradeToInsecureRepositories=false \
		-o APT::Get::AllowUnauthenticated=false -o APT::Get::Show-Progress=false "$@"
}

candidate() { private_apt apt-cache policy "$1" | awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }'; }

at_least() {
	dpkg --compare-versions "${2#*:}" ge "$3" || die "$1 $2 is older than $3, which engine/whisper needs. $other_roads"
}

debian() {
	local made
	made=$(key debian "$suite")
	complete "$made" && return
	for tool in apt-get apt-cache dpkg dpkg-deb; do
		command -v $tool >/dev/null || die "no $tool here: Debian's packages cannot be unpacked. $other_roads"
	done
	# shellcheck disable=SC1091
	. /etc/os-release
	mkdir -p "$native"
	work=$(mktemp -d "$native/apt.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	mkdir -p "$work"/{state/lists/partial,cache/archives/partial,sources,debs}
	: >"$work/state/status"
	# Only what Debian itself signed as Debian may be taken.
	printf 'Package: *\nPin: release o=Debian\nPin-Priority: 500\n\nPackage: *\nPin: release a=*\nPin-Priority: -1\n' >"$work/preferences"

	derive_sources "$work/sources"
	[[ -n $(ls "$work/sources") ]] || die "this machine has no Debian package source to derive one from. $other_roads"
	say "reading the package list of Debian $suite (private, this machine's own sources stay as they are)"
	# One of several sources may fail, for example one of another vendor that has
	# no such suite. What is not signed is not there for apt.
	private_apt apt-get update >"$work/log" 2>&1 || true
	local version
	version=$(candidate libwhisper-dev)
	[[ -n $version ]] || {
		cat "$work/log" >&2
		die "this machine's mirror offers no signed libwhisper-dev in $suite. $other_roads"
	}
	at_least libwhisper-dev "$version" "$min_whisper"
	at_least libggml-dev "$(candidate libggml-dev)" "$min_ggml"

	# The libraries and all they stand on, whatever they are called by now.
	# Documentation bases and character set tables are of no use here.
	local list ggml
	closure() {
		private_apt apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "$@" |
			grep -E '^[a-z0-9]' | grep -Ev '^(gcc-[0-9]+-base|libc-gconv-modules-extra)(:|$)' | sort -u
	}
	list=$(closure libwhisper-dev)
	ggml=$(grep -E '^libggml[0-9.]+$' <<<"$list" | head -1)
	if [[ -n $(candidate "$ggml-backend-vulkan") ]]; then
		list=$(closure libwhisper-dev "$ggml-backend-vulkan")
	else
		say "no Vulkan plug-in for $ggml in $suite: this build will use the CPU"
	fi
	say "fetching" $list
	# shellcheck disable=SC2086
	(cd "$work/debs" && private_apt apt-get download $list >"$work/log" 2>&1) || {
		cat "$work/log" >&2
		die "the packages could not be fetched. $other_roads"
	}

	local root=$work/root deb comma=
	mkdir "$root"
	{
		printf '{\n  "suite": "%s",\n  "packages": [' "$suite"
		for deb in "$work"/debs/*.deb; do
			dpkg -x "$deb" "$root"
			printf '%s\n    {"package": "%s", "version": "%s", "sha256": "%s", "suite": "%s"}' "$comma" \
				"$(dpkg-deb -f "$deb" Package)" "$(dpkg-deb -f "$deb" Version)" "$(sha256sum <"$deb" | cut -d' ' -f1)" "$suite"
			comma=,
		done
		printf '\n  ]\n}\n'
	} >"$work/sbom.json"

	local lib linker
	lib=$(dirname "$(find "$root" -name 'libwhisper.so' | head -1)")
	[[ -e $lib/libwhisper.so ]] || die "libwhisper-dev $version holds no libwhisper.so. $other_roads"
	linker=$(find "$root" -name 'ld-linux*.so.*' -print -quit)
	[[ -n $linker ]] || die "libc6 holds no dynamic linker. $other_roads"
	rm -rf "$native/root" "$native/made"
	mv "$root" "$native/root"
	lib=$native/root${lib#"$root"} linker=$native/root${linker#"$root"}
	write_pc "$lib" "$native/root/usr/include" "$linker"
	mv "$work/sbom.json" "$sbom"
	echo "$made" >"$native/made" # last: an interrupted run starts over
	say "$(grep -c '"package"' "$sbom") packages in $native/root, listed in $sbom"
}

site() {
	local prefix made lib
	prefix=$(cd "$1" 2>/dev/null && pwd) || die "WHISPER_PREFIX=$1 is no folder."
	made=$(key site "$prefix")
	complete "$made" && return
	local header
	header=$(find "$prefix/include" "$prefix/usr/include" -name whisper.h -print -quit 2>/dev/null || true)
	[[ -n $header ]] || die "$prefix has no include/whisper.h: give the folder that 'cmake --install' wrote to."
	lib=$(find "$prefix" -maxdepth 4 -name libwhisper.so -print -quit)
	[[ -n $lib ]] || die "$prefix has no libwhisper.so: build with -DBUILD_SHARED_LIBS=ON."
	write_pc "${lib%/*}" "${header%/*}"
	printf '{\n  "prefix": "%s",\n  "packages": [\n    {"package": "libwhisper", "version": "%s", "sha256": "%s", "suite": "site"}\n  ]\n}\n' \
		"$prefix" "$(basename "$(readlink -f "$lib")" | sed 's/.*\.so\.//')" "$(sha256sum <"$lib" | cut -d' ' -f1)" >"$sbom"
	echo "$made" >"$native/made"
	say "using the build in $prefix"
}

have_system() { pkg-config --exists "whisper >= $min_whisper" 2>/dev/null; }

system() {
	local made
	have_system || die "pkg-config knows no whisper >= $min_whisper. $other_roads"
	local lib
	lib=$(pkg-config --variable=libdir whisper)
	made=$(key system "$lib" "$(pkg-config --modversion whisper)")
	complete "$made" && return
	mkdir -p "${pc%/*}"
	cat >"$pc" <<-END
		Name: flysense-whisper
		Description: whisper.cpp as engine/whisper links it
		Version: 1
		Requires: whisper
		Libs: -Wl,-rpath,$lib -lggml -lggml-base -ldl
	END
	printf '{\n  "packages": [\n    {"package": "libwhisper", "version": "%s", "suite": "system"}\n  ]\n}\n' "$(pkg-config --modversion whisper)" >"$sbom"
	echo "$made" >"$native/made"
	say "using the system's whisper $(pkg-config --modversion whisper)"
}

mkdir -p "$native"
case ${1:-} in
debian) debian ;;
site) site "${2:?a prefix}" ;;
system) system ;;
auto)
	if [[ -f $pc && $(cat "$native/made" 2>/dev/null) == src\ * ]]; then
		: # 'make clean-native' goes back to packages
	elif have_system; then
		system
	else
		debian
	fi
	;;
*) die "usage: native.sh debian | site PREFIX | system | auto" ;;
esac
