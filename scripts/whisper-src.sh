#!/bin/bash
# Builds an upstream whisper.cpp checkout for package engine/whisper:
#
#   whisper-src.sh SRC cpu|cuda|vulkan
#
# The result goes to build/native/src and replaces what native.sh provided. It is
# built for the processor of this machine: that is faster than Debian's packages
# and may not run elsewhere.
set -euo pipefail

src=${1:?usage: whisper-src.sh SRC cpu|cuda|vulkan} backend=${2:-cpu}
here=$(cd "$(dirname "$0")/.." && pwd)
native=${NATIVE:-$here/build/native}
prefix=$native/src
build=$native/src-build-$backend

die() {
	echo "whisper-src: $*" >&2
	exit 1
}

[[ -f $src/include/whisper.h ]] || die "$src is no whisper.cpp checkout (no include/whisper.h)."
src=$(cd "$src" && pwd)
command -v cmake >/dev/null || die "cmake is missing: apt-get install cmake"
case $backend in
cpu) flags=() ;;
cuda)
	command -v nvcc >/dev/null || die "nvcc is missing: install the CUDA toolkit of your driver and put it into PATH."
	flags=(-DGGML_CUDA=ON -DGGML_CUDA_GRAPHS=ON)
	;;
vulkan)
	command -v glslc >/dev/null || die "glslc is missing: apt-get install glslc libvulkan-dev"
	flags=(-DGGML_VULKAN=ON)
	;;
*) die "BACKEND=$backend: use cpu, cuda or vulkan." ;;
esac

# LLAMAFILE: nearly twice the encoder speed on a CPU, off by default upstream.
cmake -S "$src" -B "$build" -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON \
	-DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_INSTALL_RPATH='$ORIGIN' \
	-DGGML_NATIVE=ON -DGGML_LLAMAFILE=ON \
	-DWHISPER_BUILD_EXAMPLES=OFF -DWHISPER_BUILD_TESTS=OFF -DWHISPER_BUILD_SERVER=OFF "${flags[@]}"
cmake --build "$build" -j "${JOBS:-$(nproc)}"
rm -rf "$prefix"
cmake --install "$build" >/dev/null

rm -f "$native/made"
NATIVE=$native "$here/scripts/native.sh" site "$prefix"
commit=$(git -C "$src" rev-parse HEAD 2>/dev/null || echo unknown)
sed -i "s|\"suite\": \"site\"|\"suite\": \"source $backend, commit $commit\"|" "$native/sbom.json"
echo "src $backend $commit" >"$native/made"
echo "whisper: built from $src ($backend, commit $commit) into $prefix"
