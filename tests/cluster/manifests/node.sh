# Process 1 of a node, in namespaces of its own: mounts what is the node's alone, then only holds the namespaces open.
# Arguments: name, folder, where that folder is seen inside, the program that holds.
set -e
mount -t proc proc /proc
# Sockets, pod networks and address leases live here and go with the node, as after a power cut.
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir /run/disk
mount --bind "$2" /run/disk
# Some paths cannot be configured. Whatever is written there stays in the node's memory, off the machine.
for place in /etc /opt /usr/libexec /var/lib; do
    mkdir -p "/run/written$place" "/run/work$place"
    [ ! -d "$place" ] ||
        mount -t overlay -o "lowerdir=$place,upperdir=/run/written$place,workdir=/run/work$place" overlay "$place"
done
mount --move /run/disk "$3"
# A kubelet links every container's log under /var/log/containers.
mount --bind "$3/log" /var/log
# Pods may ask for mounts to be passed on, which needs a root that is shared, within this node alone.
mount --make-rshared /
echo "$1" > /proc/sys/kernel/hostname
echo 1 > /proc/sys/net/ipv4/ip_forward
exec "$4"
