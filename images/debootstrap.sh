#!/bin/sh
# Write FOLDER.tar, a small Debian with its security updates: debootstrap.sh FOLDER
set -eu
suite=bookworm
nice -n 19 debootstrap --variant=minbase "$suite" "$1"
# The mirror is the one that debootstrap knows.
mirror=$(awk '$1 == "deb" {print $2; exit}' "$1/etc/apt/sources.list")
{
    echo "deb $mirror $suite main"
    echo "deb $mirror $suite-updates main"
    echo "deb $mirror-security $suite-security main"
} > "$1/etc/apt/sources.list"
# As in Debian's own image: apt keeps no packages, and nobody reads manuals here. Lists come with apt-get update.
cat > "$1/etc/apt/apt.conf.d/docker-clean" <<'CLEAN'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";
CLEAN
cat > "$1/etc/dpkg/dpkg.cfg.d/docker" <<'CLEAN'
path-exclude /usr/share/doc/*
path-exclude /usr/share/man/*
path-exclude /usr/share/locale/*
CLEAN
rm -rf "$1"/var/cache/apt/*.bin "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/* "$1"/var/log/* \
    "$1"/usr/share/doc/* "$1"/usr/share/man/* "$1"/usr/share/locale/*
nice -n 19 chroot "$1" sh -c 'apt-get update -qq && apt-get upgrade -qq && rm -rf /var/lib/apt/lists/*'
tar --directory "$1" --create --file "$1.tar" .
