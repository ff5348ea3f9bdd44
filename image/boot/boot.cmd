# Chooses a slot and starts its kernel. Run by U-Boot; variables are strings.
#
# The boot record stands twice on the card, outside every partition, in the form that "env import -c"
# reads: a copy whose checksum is wrong does not import. Every start takes one attempt from the slot
# it starts and writes the copy that does not count; the running system gives the attempts back. A
# power cut while one is written leaves the other. What is on the FAT partition is never written.

test -n "${devtype}" || setenv devtype mmc
test -n "${devnum}" || setenv devnum 0
# "read" and "write" go to the device that is chosen, whatever was found where: a wrong number shall not pass in silence.
if ${devtype} dev ${devnum}; then true; else
  echo "card: there is no ${devtype} ${devnum}"
  reset
fi
# Debian's kernel takes 38 MB from a multiple of 2 MiB on, and would run into U-Boot's own
# addresses for the device tree and the initial file system. QEMU's "virt" has its memory elsewhere.
if test "${board}" = "qemu-arm"; then
  setenv rec_a 0x46000000
  setenv rec_b 0x46010000
  setenv at_kernel 0x40200000
  setenv at_tree 0x48000000
  setenv at_early 0x48100000
  setenv kernel_comp_addr_r 0x4a000000
  setenv console "console=ttyAMA0,115200"
else
  setenv rec_a 0x06000000
  setenv rec_b 0x06010000
  setenv at_kernel 0x00200000
  setenv at_tree 0x08000000
  setenv at_early 0x08100000
  setenv kernel_comp_addr_r 0x0a000000
  setenv console "console=ttyS1,115200 console=ttyAMA0,115200"
fi

setenv kernel_comp_size 0x03000000

setenv gen_a 0
setenv gen_b 0
setenv sectors 8

if ${devtype} read ${rec_a} 0x800 ${sectors}; then
  if env import -c ${rec_a} 0x1000; then setenv gen_a ${BOOT_GEN}; fi
fi
if ${devtype} read ${rec_b} 0x1000 ${sectors}; then
  if env import -c ${rec_b} 0x1000; then setenv gen_b ${BOOT_GEN}; fi
fi
setenv older 0x1000
if itest 0x${gen_b} > 0x${gen_a}; then
  setenv older 0x800
else
  if env import -c ${rec_a} 0x1000; then true; fi
fi
test -n "${BOOT_ORDER}" || setenv BOOT_ORDER "A B"
test -n "${BOOT_A_LEFT}" || setenv BOOT_A_LEFT 3
test -n "${BOOT_B_LEFT}" || setenv BOOT_B_LEFT 0
test -n "${BOOT_GEN}" || setenv BOOT_GEN 0
# Which slot is on trial; only kept here.
test -n "${BOOT_TRIAL}" || setenv BOOT_TRIAL -

setenv slot
for s in ${BOOT_ORDER}; do
  if test -z "${slot}"; then
    if test "${s}" = "A"; then
      if itest ${BOOT_A_LEFT} > 0; then setexpr BOOT_A_LEFT ${BOOT_A_LEFT} - 1; setenv slot A; setenv part 2; fi
    fi
    if test "${s}" = "B"; then
      if itest ${BOOT_B_LEFT} > 0; then setexpr BOOT_B_LEFT ${BOOT_B_LEFT} - 1; setenv slot B; setenv part 3; fi
    fi
  fi
done
if test -z "${slot}"; then
  # No slot has become ready lately. Both get another go, so that a station whose trouble
  # passes (a loose card, a hot room) comes back by itself.
  echo "card: no slot has attempts left; starting over"
  setenv BOOT_A_LEFT 3
  setenv BOOT_B_LEFT 3
  setenv slot retry
fi
setexpr BOOT_GEN 0x${BOOT_GEN} + 1
env export -c -s 0x1000 ${rec_a} BOOT_A_LEFT BOOT_B_LEFT BOOT_GEN BOOT_ORDER BOOT_TRIAL
${devtype} write ${rec_a} ${older} ${sectors}
if test "${slot}" = "retry"; then reset; fi
echo "card: starting slot ${slot}; attempts left: A ${BOOT_A_LEFT}, B ${BOOT_B_LEFT}"


if load ${devtype} ${devnum}:${part} ${at_kernel} /boot/words; then
  env import -t ${at_kernel} ${filesize} words
fi
# "more" is not set; an emulator's uboot.env may have it.
# The contract says to a slot what this script does for it; image/release names the least that a slot needs. 1: BOOT_TRIAL is kept.
setenv bootargs "${console} card.slot=${slot} card.contract=1 ${words} ${more}"
if load ${devtype} ${devnum}:${part} ${at_kernel} /boot/Image.gz; then
  if load ${devtype} ${devnum}:${part} ${at_early} /boot/early.cpio.zst; then
    setenv early_size ${filesize}
    # The slot's own device tree where it has one for this board; else the firmware's.
    setenv tree ${fdtcontroladdr}
    if test -n "${fdtfile}"; then
      if load ${devtype} ${devnum}:${part} ${at_tree} /boot/${fdtfile}; then setenv tree ${at_tree}; fi
    fi
    booti ${at_kernel} ${at_early}:${early_size} ${tree}
  fi
fi
echo "card: slot ${slot} cannot be started"
reset
