# ckpt: checkpoint and restart of running programs.  `make help` lists the commands.
#
# Everything is made from Debian packages below build/: a Debian 13 tree with the compilers (build/tree), the kernel that
# the module is for (build/kernel/RELEASE), and the root of the test guest (build/guest).  The host needs apt, and root or
# sudo; what is missing there is installed.  No step is done by hand, and `rm -rf build && make` works.

# The one place that names the kernel.  A release that the archive no longer has falls back to the newest that it has.
KREL ?= 7.3.4+deb13-cloud-amd64

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := all

TOP := $(abspath $(dir $(lastword $(MAKEFILE_LIST))))
BUILD := $(TOP)/build
OUT := $(BUILD)/out
TREE := $(BUILD)/tree
JOBS := $(shell nproc)
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
ifneq ($(or $(findstring :,$(TOP)),$(word 2,$(TOP))),)
$(error the project's path may not contain blanks or colons (kbuild and make cannot quote them): $(TOP))
endif

# ---- the host ------------------------------------------------------------------------------------------------------------

HOST_PACKAGES := mmdebstrap debian-archive-keyring e2fsprogs xz-utils util-linux qemu-system-x86
HOST_COMMANDS := mmdebstrap mke2fs xz unshare setpriv qemu-system-x86_64
HOST := $(BUILD)/.host

# Commands in /usr/sbin count too: they are not in the PATH of a user of Debian.
$(HOST):
	@PATH=$$PATH:/usr/sbin:/sbin
	mkdir -p $(@D)
	[ -z "$(SUDO)" ] || command -v sudo >/dev/null || { echo "make: run as root, or install sudo (package sudo): the Debian trees are made as root" >&2; exit 1; }
	command -v apt-get >/dev/null || { echo "make: this host has no apt-get: a Debian 12 or 13 host is needed" >&2; exit 1; }
	missing=; for c in $(HOST_COMMANDS); do command -v $$c >/dev/null || missing="$$missing $$c"; done
	[ -n "$$(apt-get indextargets --format '$$(REPO_URI)' 'Created-By: Packages')" ] || missing="$$missing (package lists)"
	if [ -n "$$missing" ]; then
		echo "  HOST    installing what is missing:$$missing"
		$(SUDO) apt-get update -q >build.log 2>&1 && mv build.log $(BUILD)/host.log || { cat build.log >&2; rm -f build.log; echo "make: apt-get update failed" >&2; exit 1; }
		$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(HOST_PACKAGES) >>$(BUILD)/host.log 2>&1 ||
			{ tail -20 $(BUILD)/host.log >&2; echo "make: install these packages by hand, then call make again: $(HOST_PACKAGES)" >&2; exit 1; }
	fi
	touch $@

# The Debian mirror is the one that the host's apt uses, so that a proxy or a local mirror works here as it does there.
mirror = apt-get indextargets --format '$$(REPO_URI)' 'Origin: Debian' 'Label: Debian' 'Component: main' 'Created-By: Packages' | head -n 1
# debootstrap SUITE-LIST DIRECTORY PACKAGE-LIST LOG: a Debian root directory.  Options of the host's apt that lead to the archive are kept.
define debootstrap_sh
suites=$$1 dir=$$2 packages=$$3 log=$$4; shift 4
mirror=$$(apt-get indextargets --format '$$(REPO_URI)' 'Origin: Debian' 'Label: Debian' 'Component: main' 'Created-By: Packages' | head -n 1)
[ -n "$$mirror" ] || { echo "make: apt has no Debian mirror configured (apt-get indextargets is empty): check /etc/apt and run apt-get update" >&2; exit 1; }
lines=; for s in $$suites; do lines="$$lines
deb $$mirror $$s main"; done
aptopts=(--aptopt='Acquire::Retries "3"')
while IFS= read -r o; do aptopts+=("--aptopt=$$o"); done < <(apt-config dump | grep -E '^Acquire::(Check-|(http|https)::(Proxy|Verify|CaInfo))' || true)
rm -rf --one-file-system "$$dir" "$$dir.tmp"
mmdebstrap --variant=minbase --skip=cleanup/apt/lists --include="$$packages" "$${aptopts[@]}" "$$@" "$${suites%% *}" "$$dir.tmp" - <<<"$$lines" >"$$log" 2>&1 ||
	{ tail -30 "$$log" >&2; echo "make: mmdebstrap could not make $$dir from $$mirror; the log is $$log" >&2; exit 1; }
mv "$$dir.tmp" "$$dir"
endef
export debootstrap_sh
debootstrap = $(SUDO) bash -euo pipefail -c "$$debootstrap_sh" debootstrap

# ---- the Debian 13 tree with the compilers ---------------------------------------------------------------------------------

# The compilers are Debian 13's, because the kernel's Rust symbols carry hashes that depend on the compiler's version.
TREE_PACKAGES := gcc-14 libc6-dev make bc flex bison libelf-dev libssl-dev libdw-dev rustc rust-src cargo rustfmt rust-clippy \
	bindgen libclang-19-dev clang-19 kmod cpio xz-utils zstd pkg-config python3 perl pahole ca-certificates virtiofsd
empty :=
space := $(empty) $(empty)
comma := ,
# The stamp's name carries the list: a tree with an older list gets what is missing.
TREE_READY := $(TREE)/.ready-$(firstword $(shell echo '$(TREE_PACKAGES)' | md5sum))
tree_packages := $(subst $(space),$(comma),$(strip $(TREE_PACKAGES)))

$(TREE_READY): | $(HOST)
	@echo "  TREE    $(TREE)"
	if [ -e $(TREE)/usr/bin/gcc ]; then
		$(call in_tree_root,"apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(TREE_PACKAGES)") >$(BUILD)/tree.log 2>&1 ||
			{ tail -20 $(BUILD)/tree.log >&2; echo "make: cannot install packages in $(TREE) (log: $(BUILD)/tree.log); rm -rf $(TREE) makes it anew" >&2; exit 1; }
	else
		$(debootstrap) "trixie trixie-updates trixie-backports" $(TREE) "$(tree_packages)" $(BUILD)/tree.log
	fi
	$(SUDO) ln -sf gcc-14 $(TREE)/usr/bin/gcc
	$(SUDO) ln -sf gcc-14 $(TREE)/usr/bin/cc
	$(SUDO) touch $@

.PHONY: tree
tree: $(TREE_READY)

# in_tree 'COMMANDS': run them inside the tree as the user who called make, with the project at its own path (so that file
# names in messages and dependency files are right on both sides).  The mounts vanish with the mount name space.
define in_tree_sh
commands=$$1 tree=$$2 top=$$3 ids=$$4
mkdir -p "$$tree$$top"
mount --bind "$$top" "$$tree$$top"
mount -t proc proc "$$tree/proc"
mount --rbind /dev "$$tree/dev"
for f in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
	[ ! -s $$f ] || { [ -e "$$tree$$f" ] || touch "$$tree$$f"; mount --bind "$$(readlink -f $$f)" "$$tree$$f"; }
done
exec chroot --userspec="$$ids" "$$tree" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME="$$top/build/home" LANG=C.UTF-8 \
	CARGO_HOME="$$top/build/home/.cargo" CARGO_TARGET_DIR="$$top/build/cargo" TERM="$${TERM:-dumb}" $(in_tree_env) \
	/bin/bash -euo pipefail -c "cd '$$top'; $$commands"
endef
# Variables that lead cargo and apt out through a proxy are handed on; nothing else of the caller's environment is.
in_tree_env := $(foreach v,http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY all_proxy,$(if $($(v)),$(v)='$($(v))'))
export in_tree_sh
define in_tree
$(SUDO) unshare -m --propagation private -- bash -euc "$$in_tree_sh" in-tree $(1) $(TREE) $(TOP) $(shell id -u):$(shell id -g)
endef
define in_tree_root
$(SUDO) unshare -m --propagation private -- bash -euc "$$in_tree_sh" in-tree $(1) $(TREE) $(TOP) 0:0
endef

# ---- the kernel ----------------------------------------------------------------------------------------------------------

# The flavour's own configuration, symbol versions and release name, over the source package of the same version: Debian's
# header packages carry no Rust metadata, so the headers and the Rust crates are prepared here once per release.
KERNEL := $(BUILD)/kernel/$(KREL)
KERNEL_READY := $(KERNEL)/.ready
KERNEL_PKGS := $(KERNEL)/.packages

# Finds the packages of the release, or those of the newest one that has Rust (7.2 is the first with what ckpt uses).
define kernel_packages_sh
want=$$1 top=$$2 ids=$$3
dir=$$top/build/kernel
flavour=$${want#*+deb13}; flavour=$${flavour#-}; flavour=$${flavour:-amd64}
rel=$$want
if ! apt-cache show "linux-modules-$$rel" >/dev/null 2>&1; then
	apt-get update -q >/dev/null
	if ! apt-cache show "linux-modules-$$rel" >/dev/null 2>&1; then
		rel=$$(apt-cache pkgnames linux-modules- | sed -nE "s/^linux-modules-(([0-9]+)\.([0-9]+)\.[0-9]+\+deb13-$$flavour)$$/\2 \3 \1/p" |
			awk '$$1 > 7 || ($$1 == 7 && $$2 >= 2) { print $$3 }' | sort -V | tail -n 1)
		[ -n "$$rel" ] || { echo "make: no kernel >= 7.2 of flavour $$flavour in Debian 13 or its backports (package linux-modules-RELEASE); name another one: make KREL=RELEASE" >&2; exit 1; }
		echo "make: note: the archive no longer has linux-modules-$$want; taking the newest, $$rel (KREL= overrides)" >&2
		rm -rf "$$dir/$$want"; ln -s "$$rel" "$$dir/$$want"
	fi
fi
[ ! -e "$$dir/$$rel/.packages" ] || exit 0
version=$$(apt-cache show "linux-modules-$$rel" | sed -n 's/^Version: //p' | head -n 1)
base=$${rel%%+*}; short=$${base%.*}; src=$$dir/src-$$base
mkdir -p "$$dir/$$rel" "$$dir/deb"
cd "$$dir/deb"
get() { apt-get -q -o APT::Sandbox::User=root download "$$@" >>"$$dir/$$rel/packages.log" 2>&1 || {
	cat "$$dir/$$rel/packages.log" >&2
	echo "make: cannot get $$* from the archive; name another kernel release: make KREL=RELEASE (apt-cache pkgnames linux-modules-)" >&2; exit 1; }; }
[ -e "$$src/.unpacked" ] || get "linux-source-$$short=$$version"
get "linux-modules-$$rel=$$version" "linux-binary-unsigned-$$rel=$$version" "linux-base-$$rel=$$version" "linux-headers-$$rel=$$version"
if [ ! -e "$$src/.unpacked" ]; then
	rm -rf "$$src" "$$src.tmp"; mkdir -p "$$src.tmp"
	dpkg-deb --fsys-tarfile linux-source-"$$short"_*.deb | tar -xO --wildcards './usr/src/linux-source-*.tar.xz' | xz -dc -T0 | tar -x --strip-components=1 -C "$$src.tmp"
	touch "$$src.tmp/.unpacked"; mv "$$src.tmp" "$$src"; rm -f linux-source-"$$short"_*.deb
fi
ln -sfn "../src-$$base" "$$dir/$$rel/src"
rm -rf "$$dir/$$rel/stock"; mkdir "$$dir/$$rel/stock"
for d in *-"$$rel"_*.deb; do dpkg-deb -x "$$d" "$$dir/$$rel/stock"; rm "$$d"; done
ln -sfn "stock/usr/lib/modules/$$rel/vmlinuz.unsigned" "$$dir/$$rel/vmlinuz"
echo "$$rel" >"$$dir/$$rel/release"
chown "$$ids" "$$dir/$$rel"
touch "$$dir/$$rel/.packages"
endef
export kernel_packages_sh

$(KERNEL_PKGS): | $(TREE_READY)
	@echo "  FETCH   kernel $(KREL)"
	mkdir -p $(BUILD)/kernel $(BUILD)/home/.cargo
	$(call in_tree_root,"$$(printf 'exec bash -euo pipefail -c %q kernel %q %q %q' "$$kernel_packages_sh" '$(KREL)' '$(TOP)' $(shell id -u):$(shell id -g))")

# About a minute: the host tools, the generated headers, and the Rust crates whose metadata the module is compiled against.
$(KERNEL_READY): $(KERNEL_PKGS)
	@echo "  PREPARE kernel $(KREL) (about a minute; log in $(KERNEL)/prepare.log)"
	release=$$(cat $(KERNEL)/release)
	headers=$(KERNEL)/stock/usr/src/linux-headers-$$release
	mkdir -p $(KERNEL)/obj
	cp $$headers/.config $(KERNEL)/obj/.config
	$(call in_tree,"make -s -C $(KERNEL)/src O=$(KERNEL)/obj -j$(JOBS) CC=x86_64-linux-gnu-gcc-14 HOSTCC=gcc-14 KERNELRELEASE=$$release olddefconfig modules_prepare") >$(KERNEL)/prepare.log 2>&1 ||
		{ tail -20 $(KERNEL)/prepare.log >&2; echo "make: the kernel's headers could not be prepared, see $(KERNEL)/prepare.log" >&2; exit 1; }
	grep -q '^CONFIG_RUST=y' $(KERNEL)/obj/.config || { echo "make: $$release was configured without Rust (or rustc, bindgen of the tree were refused): ckpt needs CONFIG_RUST=y" >&2; exit 1; }
	# A symbol that the tools made olddefconfig drop (pahole: BTF) would change the layout of structures: never go on then.
	lost=$$(grep -h '^CONFIG_' $$headers/.config | grep -vE '^CONFIG_(CC|GCC|LD|AS|RUSTC|PAHOLE|CLANG)_' | grep -vxFf $(KERNEL)/obj/.config || true)
	[ -z "$$lost" ] || { echo "make: the prepared kernel differs from the stock one in its configuration:" $$lost >&2; exit 1; }
	cp $$headers/Module.symvers $(KERNEL)/obj/
	# kbuild does not see that the crates below a module have changed.
	rm -rf $(KERNEL)/module $(KERNEL)/clippy
	touch $@

.PHONY: kernel
kernel: $(KERNEL_READY)

# ---- the module ----------------------------------------------------------------------------------------------------------

# kbuild knows what has changed; it is always asked.
module_make = make -s --no-print-directory -C $(KERNEL)/obj M=$(TOP) MO=$(1) CC=x86_64-linux-gnu-gcc-14 HOSTCC=gcc-14 KERNELRELEASE=$$(cat $(KERNEL)/release) -j$(JOBS)

.PHONY: module
module: $(KERNEL_READY)
	@mkdir -p $(OUT)
	$(call in_tree,"$(call module_make,$(KERNEL)/module) $(if $(V),V=$(V)) modules")
	cmp -s $(KERNEL)/module/ckpt.ko $(OUT)/ckpt.ko || { cp $(KERNEL)/module/ckpt.ko $(OUT)/ckpt.ko; echo "  MODULE  $(OUT)/ckpt.ko"; }

# ---- user space -----------------------------------------------------------------------------------------------------------

# Static: the same binary runs on any release and in an initramfs; at fixed addresses: relocating a static PIE takes longer than
# all the rest of a small checkpoint.  One target directory, so that both workspaces share crates.
# PATH of cargo's own configuration of the user (mirrors, proxies) is honoured; its registry is below build/.
CARGO_FLAGS := --release --target x86_64-unknown-linux-gnu
CARGO_OUT := $(BUILD)/cargo/x86_64-unknown-linux-gnu/release
cargo = mkdir -p $(BUILD)/home/.cargo; for f in $(HOME)/.cargo/config.toml; do [ ! -e $$f ] || cp -u $$f $(BUILD)/home/.cargo/; done; \
	$(call in_tree,"export RUSTFLAGS='-C target-feature=+crt-static -C relocation-model=static'; RUSTDOCFLAGS=\"\$$RUSTFLAGS\" cargo $(1)")
# copy NEW OLD: only if it differs, so that what depends on build/out is made again only if something has changed.
copy = cmp -s $(1) $(2) || { rm -f $(2); cp $(1) $(2); echo "  OUT     $(2)"; }

.PHONY: userspace
userspace: | $(TREE_READY)
	@mkdir -p $(OUT)
	$(call cargo,build -q --manifest-path userspace/Cargo.toml $(CARGO_FLAGS))
	$(call copy,$(CARGO_OUT)/ckptctl,$(OUT)/ckptctl)
	[ ! -e uapi/ckpt.h ] || { $(call copy,uapi/ckpt.h,$(OUT)/ckpt.h); }

# By its sources, so that `make guest` asks cargo only if there is something to do.
.PHONY: runner
RUNNER := $(CARGO_OUT)/runner
runner: $(RUNNER)
$(RUNNER): $(wildcard qemu-test/runner/Cargo.toml qemu-test/runner/src/*.rs) | $(TREE_READY)
	@$(call cargo,build -q --manifest-path qemu-test/Cargo.toml -p runner $(CARGO_FLAGS))
	touch $@

# The test binaries (cases, bench, demo as they come) and the programs that they save.
.PHONY: tests
tests: programs | $(TREE_READY)
	@$(call cargo,build -q --manifest-path qemu-test/Cargo.toml $(CARGO_FLAGS))
	for b in $$(find $(CARGO_OUT) -maxdepth 1 -type f -perm /111 ! -name 'runner' ! -name 'ckptctl' ! -name '*.so'); do
		$(call copy,$$b,$(OUT)/$${b##*/})
	done

include qemu-test/guest.mk

# ---- what people call ------------------------------------------------------------------------------------------------------

.PHONY: all test bench demo check install clean distclean help in-tree
all: module userspace

# A second make, since the guest's disk depends on files that the first one has just made.
in_guest = $(MAKE) --no-print-directory guest-files && PATH=$$PATH:/usr/sbin:/sbin $(RUN)

test: all tests runner
	@$(in_guest) test '$(T)'

bench: all tests runner
	@$(in_guest) bench '$(B)'

demo: all tests runner
	@$(in_guest) demo

# No VM.  Every part runs even if one before it failed: one call shows all that is wrong.
WORKSPACES := userspace/Cargo.toml qemu-test/Cargo.toml uapi/Cargo.toml
check: $(KERNEL_READY)
	@bad=
	echo "  CHECK   rules"; bash qemu-test/rules || bad="$$bad rules"
	sh docs/support.sh | cmp -s - docs/SUPPORT.md || { echo "docs/SUPPORT.md is not what the rooms say: docs/support.sh > docs/SUPPORT.md"; bad="$$bad support"; }
	echo "  CHECK   rustfmt"
	$(call in_tree,"rustfmt --check -l --edition 2021 \$$(find rust uapi userspace qemu-test -name '*.rs' -not -path '*/target/*')") || bad="$$bad rustfmt(make-fmt)"
	for w in $(WORKSPACES); do
		echo "  CHECK   clippy and unit tests of $${w%/*}"
		$(call cargo,clippy -q --manifest-path $$w --all-targets --target x86_64-unknown-linux-gnu -- -D warnings) || bad="$$bad clippy:$$w"
		$(call cargo,test -q --manifest-path $$w --target x86_64-unknown-linux-gnu) || bad="$$bad test:$$w"
	done
	echo "  CHECK   clippy of the module"
	$(call in_tree,"$(call module_make,$(KERNEL)/clippy) CLIPPY=1 KRUSTFLAGS=-Dwarnings modules") || bad="$$bad clippy:module"
	[ -z "$$bad" ] || { echo "make: these checks failed:$$bad" >&2; exit 1; }
	echo "all checks passed"

.PHONY: fmt
fmt: | $(TREE_READY)
	@$(call in_tree,"rustfmt --edition 2021 \$$(find rust uapi userspace qemu-test -name '*.rs' -not -path '*/target/*')")

# A command in the tree, for developers: make in-tree CMD='cargo tree --manifest-path userspace/Cargo.toml'
in-tree: export CKPT_CMD = $(value CMD)
in-tree: | $(TREE_READY)
	@$(call in_tree,"$$CKPT_CMD")

PREFIX ?= /usr/local
install:
	@[ -e $(OUT)/ckpt.ko ] && [ -e $(OUT)/ckptctl ] || { echo "make: call make before make install" >&2; exit 1; }
	release=$$(cat $(KERNEL)/release)
	install -D -m 644 $(OUT)/ckpt.ko $(DESTDIR)/lib/modules/$$release/updates/ckpt.ko
	install -D -m 755 $(OUT)/ckptctl $(DESTDIR)$(PREFIX)/bin/ckptctl
	[ ! -e $(OUT)/ckpt.h ] || install -D -m 644 $(OUT)/ckpt.h $(DESTDIR)$(PREFIX)/include/ckpt.h
	for m in userspace/ckptctl/man/*.[1-9]; do
		[ ! -e "$$m" ] || install -D -m 644 "$$m" $(DESTDIR)$(PREFIX)/share/man/man$${m##*.}/$${m##*/}
	done
	[ -n "$(DESTDIR)" ] || [ "$$(uname -r)" != "$$release" ] || depmod -a
	echo "installed for kernel $$release; load the module with: modprobe ckpt"

# What is expensive stays: the tree, the kernel, the guest's root.
clean:
	@rm -rf $(OUT) $(BUILD)/cargo $(BUILD)/kernel/*/module $(BUILD)/kernel/*/clippy $(GUEST)/out.ext4

distclean:
	@! grep -q ' $(BUILD)/' /proc/mounts || { echo "make: something is still mounted below $(BUILD)" >&2; exit 1; }
	$(SUDO) rm -rf --one-file-system $(BUILD)

help:
	@cat <<-'END'
	make                     build/out/ckpt.ko, build/out/ckptctl and build/out/ckpt.h; fetches what it needs
	make module | userspace  one of them
	make demo                the main job, shown in a guest: a program runs, is saved, is killed, comes back
	make test [T=pattern]    the whole suite in a guest; the last line is "N passed, N failed, N skipped"
	make bench [B=pattern]   benchmarks against criu in one boot: bench NAME ckpt=VALUE criu=VALUE ratio=R unit=U
	make check               formatting, lints, unit tests, dependency and unsafe rules; no guest
	make fmt                 formats all Rust sources
	make shell               an interactive guest with what was built last
	make guest CMD='...' [SHARE=dir]   one command in a guest with what was built last; dir is at /host, build/out at /ckpt
	make in-tree CMD='...'   one command in the Debian tree with the compilers
	make install [PREFIX=/usr/local] [DESTDIR=]
	make clean | distclean   what was compiled | everything below build/
	for guests: SMP=vcpus MEM=4G TIMEOUT=seconds LOG=file; for all: KREL=kernel release (now $(KREL))
	END
