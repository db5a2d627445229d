# The test guest: Debian 13 from packages, the stock kernel and its modules, booted by QEMU.  Included by the Makefile.

GUEST := $(BUILD)/guest
GUEST_SRC := $(TOP)/qemu-test/guest

# What the cases, the benchmarks and a person at `make shell` need.
GUEST_PACKAGES := python3 gcc libc6-dev libgomp1 gdb strace sqlite3 xz-utils zstd openjdk-21-jdk-headless stress-ng procps psmisc \
	util-linux bsdextrautils kmod iproute2 nftables perl-base time less libcap2-bin socat ca-certificates make redis-server \
	slurmctld slurmd slurm-client munge tmux vim-tiny postgresql nginx memcached nodejs bubblewrap
guest_packages := $(subst $(space),$(comma),$(strip $(GUEST_PACKAGES)))
GUEST_ROOT := $(GUEST)/.root-$(firstword $(shell echo '$(GUEST_PACKAGES)' | md5sum))

# A directory first: the programs of the tests are compiled in it, and the disk is made from it in one go.
$(GUEST_ROOT): $(GUEST_SRC)/root-hook | $(HOST)
	@echo "  GUEST   $(GUEST)/root (log in $(GUEST)/root.log)"
	mkdir -p $(GUEST)
	$(debootstrap) "trixie trixie-updates trixie-backports" $(GUEST)/root "$(guest_packages)" $(GUEST)/root.log --customize-hook='$(GUEST_SRC)/root-hook "$$1"'
	cat $(GUEST)/root/etc/criu-origin
	touch $@

# One disk per kernel release: the root plus that kernel's modules.  unshare: a bind mount brings the modules in.
$(KERNEL)/root.ext4: $(GUEST_ROOT) $(KERNEL_PKGS) | $(TREE_READY)
	@echo "  DISK    $@"
	$(SUDO) unshare -m bash -euo pipefail -c '
		export PATH=$$PATH:/usr/sbin:/sbin
		modules=$(KERNEL)/stock/usr/lib/modules
		mkdir -p $(GUEST)/root/usr/lib/modules
		mount --bind $$modules $(GUEST)/root/usr/lib/modules
		chroot $(GUEST)/root depmod '"$$(cat $(KERNEL)/release)"'
		rm -f $@.tmp
		truncate -s 6G $@.tmp
		mke2fs -q -t ext4 -E lazy_itable_init=1,lazy_journal_init=1 -d $(GUEST)/root $@.tmp
		chown $(shell id -u):$(shell id -g) $@.tmp'
	mv $@.tmp $@

$(KERNEL)/virtio_blk.ko: $(KERNEL_PKGS)
	@xz -dc $(KERNEL)/stock/usr/lib/modules/*/kernel/drivers/block/virtio_blk.ko.xz >$@.tmp
	mv $@.tmp $@

$(GUEST)/init: $(GUEST_SRC)/init.c | $(TREE_READY)
	@mkdir -p $(@D)
	$(call in_tree,"gcc-14 -O2 -Wall -Wextra -Wno-unused-result -static -o $@.tmp qemu-test/guest/init.c")
	mv $@.tmp $@

# build/out as a disk, made again when something in it is newer.  A guest that still runs keeps the old file.
$(GUEST)/out.ext4: $(shell find $(OUT) 2>/dev/null) | $(HOST)
	@mkdir -p $(OUT) $(GUEST)
	PATH=$$PATH:/usr/sbin:/sbin
	size=$$(du -sm --apparent-size $(OUT) | cut -f1)
	tmp=$@.$$$$
	truncate -s $$((size + size / 4 + 16))M $$tmp
	mke2fs -q -t ext4 -O ^has_journal -E root_owner=0:0 -d $(OUT) $$tmp
	mv $$tmp $@

.PHONY: guest-files
guest-files: $(KERNEL)/root.ext4 $(KERNEL)/virtio_blk.ko $(GUEST)/init $(GUEST)/out.ext4 $(RUNNER)

RUN = $(RUNNER) --build $(BUILD) --kernel $(KERNEL) $(if $(SMP),--smp $(SMP)) $(if $(MEM),--mem $(MEM)) $(if $(LOG),--log '$(LOG)') \
	$(if $(SHARE),--share '$(SHARE)') $(if $(TIMEOUT),--timeout $(TIMEOUT))

# The command reaches the shell through the environment: no quoting is lost.
.PHONY: guest shell
guest: export CKPT_CMD = $(value CMD)
guest: guest-files
	@[ -n "$$CKPT_CMD" ] || { echo "make: usage: make guest CMD='command' [SHARE=dir] [SMP=n] [MEM=4G] [LOG=file] [TIMEOUT=seconds]" >&2; exit 2; }
	PATH=$$PATH:/usr/sbin:/sbin $(RUN) guest "$$CKPT_CMD"

shell: guest-files
	@$(RUN) shell

# ---- programs that the cases save -------------------------------------------------------------------------------------------

PROGRAMS_SRC := $(TOP)/qemu-test/programs
programs_c := $(patsubst $(PROGRAMS_SRC)/%.c,$(OUT)/programs/%,$(wildcard $(PROGRAMS_SRC)/*.c))
programs_java := $(patsubst $(PROGRAMS_SRC)/%.java,$(OUT)/programs/%.class,$(wildcard $(PROGRAMS_SRC)/*.java))
programs_other := $(patsubst $(PROGRAMS_SRC)/%,$(OUT)/programs/%,$(filter-out %.c %.java %.h,$(wildcard $(PROGRAMS_SRC)/*)))

.PHONY: programs
programs: $(programs_c) $(programs_java) $(programs_other)

# Dynamic, as real programs are; a first-line comment "// cflags: ..." adds flags.
$(programs_c): $(OUT)/programs/%: $(PROGRAMS_SRC)/%.c $(wildcard $(PROGRAMS_SRC)/*.h uapi/ckpt.h) | $(TREE_READY)
	@mkdir -p $(@D)
	flags=$$(sed -nE '1,3s,^(//|/\*) *cflags: *([^*]*).*,\2,p' $< | head -n 1)
	$(call in_tree,"gcc-14 -O2 -g -Wall -pthread -Iuapi -o $@ $< $$flags")

# The guest's own JDK compiles, in the directory that the guest's disk is made from.
$(programs_java): $(OUT)/programs/%.class: $(PROGRAMS_SRC)/%.java | $(GUEST_ROOT)
	@mkdir -p $(@D)
	$(SUDO) unshare -m bash -euc 'mount --bind $(TOP) $(GUEST)/root/mnt; mount -t proc proc $(GUEST)/root/proc
		chroot --userspec=$(shell id -u):$(shell id -g) $(GUEST)/root javac -d /mnt/build/out/programs /mnt/qemu-test/programs/$(<F)'
	touch $@

$(programs_other): $(OUT)/programs/%: $(PROGRAMS_SRC)/%
	@mkdir -p $(@D)
	rm -rf $@
	cp -a $< $@
	touch $@
