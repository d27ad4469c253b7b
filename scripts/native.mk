# whisper.cpp for package engine/whisper; the reasons stand in the two scripts.

NATIVE         := $(CURDIR)/build/native
WHISPER_PREFIX ?=
BACKEND        ?= cpu

# Only engine/whisper asks pkg-config for flysense-whisper. A global CGO_CFLAGS
# would do as well and compile SQLite anew each time it changes.
export PKG_CONFIG_PATH   := $(NATIVE)/pkgconfig$(if $(PKG_CONFIG_PATH),:$(PKG_CONFIG_PATH))
export CGO_LDFLAGS_ALLOW := -Wl,(--disable-new-dtags|--allow-shlib-undefined|--dynamic-linker=.*|-rpath,.*)

# go-nvml tells the linker to pass over what is undefined in object files, and
# by that to report what is undefined in shared libraries; the prefix's libraries
# ask for a newer C library than the host's, which the linker sees. The last word
# has to allow both.
LINK := -extldflags=-Wl,--unresolved-symbols=ignore-all

.PHONY: whisper whisper-src clean-native

whisper: ## whisper.cpp: Debian's packages in build/native, or WHISPER_PREFIX=/your/build
	@NATIVE=$(NATIVE) scripts/native.sh $(if $(WHISPER_PREFIX),site $(WHISPER_PREFIX),auto)

whisper-src: ## whisper.cpp from a checkout: SRC=/path BACKEND=cpu|cuda|vulkan
	@NATIVE=$(NATIVE) scripts/whisper-src.sh "$(SRC)" $(BACKEND)

clean-native: ## forget the provided whisper.cpp
	rm -rf $(NATIVE)
