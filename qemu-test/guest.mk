# The test guest: Debian 13 from packages, the stock kernel and its modules, booted by QEMU.  Included by the Makefile.

GUEST := $(BUILD)/guest
GUEST_SRC := $(TOP)/qemu-test/guest

# What the cases, the benchmarks and a person at `make shell` need.
GUEST_PACKAGES := python3 gcc libc6-dev libgomp1 gdb strace sqlite3 xz-utils zstd openjdk-21-jdk-headless stress-ng procps psmisc \
	util-linux bsdextrautils kmod iproute2 nftables perl-base time less libcap2-bin socat ca-certificates
guest_packages := $(subst $(space),$(comma),$(strip $(GUEST_PACKAGES)))
GUEST_ROOT := $(GUEST)/.root-ready

# A directory first: the programs of the tests are compiled in it, and the disk is made from it in one go.
$(GUEST_ROOT): $(GUEST_SRC)/root-hook | $(HOST)
	@echo "  GUEST   $(GUEST)/root (log in $(GUEST)/root.log)"
	mkdir -p $(GUEST)
	$(debootstrap) "trixie trixie-updates trixie-backports" $(GUEST)/root "$(guest_packages)" $(GUEST)/root.log --customize-hook='$(GUEST_SRC)/root-hook "$$1"'
	cat $(GUEST)/root/etc/criu-origin
	touch $@
