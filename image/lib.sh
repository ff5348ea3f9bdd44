# shellcheck shell=bash
# What the steps of scripts/build-image share. Sourced, never run.
#
# A step finds what it may use in variables: $image (the directory image/), $work
# (one directory a step), $out (its own, empty), $debs (packages by checksum).

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

image=$root/image
debs=$cache/debs
# The step's own directory, and where the image goes; scripts/build-image sets both.
export out=${out:-} output=${output:-}
work=${IMAGE_WORK:-$cache/image}

# Whatever a file's date, its order or the language of this machine may be, it is
# not in the image. The date is that of the lock file, so that it moves with it.
export LC_ALL=C TZ=UTC
umask 022
SOURCE_DATE_EPOCH=$(sed -n 's/^# date: //p' "$image/lock/arm64" 2>/dev/null || true)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1760000000}

# Names that have to be unique, but may be the same on every card: made up once.
export disk_signature=656e726c
export fat_serial=454e524c
export root_uuid=5f2d7a51-6f3e-4a5c-9a52-6b0c1e0fd001
export verity_uuid=5f2d7a51-6f3e-4a5c-9a52-6b0c1e0fd002

# shellcheck disable=SC2034 # the steps use it
version=$(sed -n '/^\[workspace.package\]/,/^$/ s/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")

# The lock file for the programs that run here.
tools_lock() { printf '%s/lock/tools-%s\n' "$image" "$(dpkg --print-architecture)"; }

# locked FILE: its lines "set name version sha256 size archive path".
locked() { grep -v '^#' "$1"; }

# deb NAME [LOCK]: the path of a locked package.
deb() {
  local sum
  sum=$(locked "${2:-$image/lock/arm64}" | awk -v name="$1" '$2 == name { print $4 }')
  [ -n "$sum" ] || die "no lock file names the package $1; add it to image/packages and run scripts/build-image --refresh"
  printf '%s/%s.deb\n' "$debs" "$sum"
}

# unpack DEB DIRECTORY: its files, owned by whoever runs this; no script of it runs.
unpack() { dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --no-same-owner --keep-directory-symlink; }

# tool COMMAND...: runs a program of the unpacked tools, which see $work as /made.
# Neither a loop device nor an image is mounted; the bind mounts are its own.
tool() {
  local enter=(unshare --mount)
  [ "$(id -u)" = 0 ] || enter+=(--map-root-user)
  # shellcheck disable=SC2016 # for the inner shell
  "${enter[@]}" sh -c '
    mount --bind "$2" "$1/made" && mount --rbind /dev "$1/dev" && tools=$1 && shift 2 &&
      exec chroot "$tools" "$@"' -- "$work/tools/root" "$work" "$@"
}

# Every file of the tree gets the image's date.
same_date() { find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +; }

# make_slot TREE DIRECTORY RELEASE: a slot of that tree: its file system with the hash tree and what it says of itself behind it. Both
# directories are below $work; RELEASE is a file like image/release.
make_slot() {
  local tree=$work/$1 to=$work/$2 files blocks size hash
  files=$(find "$tree" | wc -l)
  blocks=$((($(du -s --apparent-size -B 4096 "$tree" | cut -f 1) + files) * 106 / 100 + 1024))
  tool mke2fs -q -t ext4 -b 4096 -I 256 -N $((files + 64)) -m 0 -O ^has_journal,^resize_inode,^metadata_csum,^64bit,^orphan_file,^huge_file,^dir_index \
    -E "hash_seed=$root_uuid,root_owner=0:0,lazy_itable_init=0,no_copy_xattrs" -U "$root_uuid" -L root \
    -d "/made/$1" "/made/$2/slot.img" "$blocks"
  size=$(stat -c %s "$to/slot.img")
  [ "$size" -le $((240 << 20)) ] || die "the root is larger than a slot"
  # A salt guards a hash of secrets; here it only has to be there, and to be the same each time.
  tool veritysetup format --hash-offset="$size" --salt="$(printf %s "$root_uuid" | sha256sum | cut -d' ' -f1)" \
    --uuid="$verity_uuid" "/made/$2/slot.img" "/made/$2/slot.img" >"$to/verity"
  hash=$(awk '/^Root hash:/ { print $3 }' "$to/verity")
  [ ${#hash} = 64 ] || die "veritysetup gave no root hash"
  printf 'roothash=%s\n' "$hash" | dd of="$to/slot.img" bs=1 seek=$((size + 512)) conv=notrunc status=none
  printf '%s\n' "$hash" >"$to/roothash"
  # Beside it, what the slot is: who knows this page knows the slot (docs/updates.md). A release has keys of its own.
  python3 "$image/about.py" "$version" "$KIND" "$3" "$image/keys/$KIND" "$work"/kernel/broadcom/*.dtb >"$to/about"
  dd if="$to/about" of="$to/slot.img" bs=1 seek=$((size + 1024)) conv=notrunc status=none
}

# pack_slot DIRECTORY BUNDLE SIGNER...: the bundle of a slot that make_slot has made below $work.
pack_slot() {
  local from=$work/$1 bundle=$2 boot
  shift 2
  rm -f "$from/slot.zst"
  # A window of 1 MiB, so that a station unpacks it with little memory; one thread, so that the bytes are always the same.
  tool zstd -q "-${PACK:-19}" --zstd=wlog=20 -T1 "/made/${from#"$work"/}/slot.img" -o "/made/${from#"$work"/}/slot.zst"
  mapfile -t boot < <(find "$work/boot/tree" -type f ! -name enrollment.toml | sort)
  make_update bundle "$from/slot.img" "$from/slot.zst" "$bundle" "$(cat "$from/roothash")" "${boot[@]}" -- "$@"
  rm -f "$from/slot.zst"
}

# make_update ARGUMENT...: the program of that name, compiled first.
make_update() {
  (cd "$root" && need_rust && cargo build --quiet --locked --package update --features make --bin make-update) || die "make-update does not compile"
  "${CARGO_TARGET_DIR:-$root/target}/debug/make-update" "$@"
}
