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
