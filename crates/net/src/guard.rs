//! Which addresses an origin may lead to. Checked on the very address that is connected to, so that a name cannot
//! change its meaning between check and use.

use crate::{Permit, origin::Host};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether a connection to `ip` is allowed for an origin with this host and permit.
pub(crate) fn allows(host: &Host, permit: Permit, ip: IpAddr) -> bool {
    match permit {
        Permit::Public => is_public(ip),
        Permit::Declared => {
            let literal = matches!(host, Host::Ip(written) if *written == ip);
            literal || !(is_metadata(ip) || is_nowhere(ip))
        }
    }
}

/// Whether a host name is refused before it is resolved.
pub(crate) fn refuses_name(host: &Host, permit: Permit) -> bool {
    let Host::Name(name) = host else { return false };
    if METADATA_NAMES.contains(&&**name) {
        return true;
    }
    let local = |suffix: &str| name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    permit == Permit::Public && ["localhost", "local", "internal", "localdomain"].into_iter().any(local)
}

/// Names of the services where clouds hand out credentials.
const METADATA_NAMES: &[&str] = &[
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
    "metadata.azure.internal",
    "metadata.azure.com",
    "metadata.packet.net",
    "metadata.tencentyun.com",
    "metadata.platformequinix.com",
];

fn is_metadata(ip: IpAddr) -> bool {
    match unwrap_v4(ip) {
        IpAddr::V4(ip) => {
            // AWS, GCP, Azure, Oracle and others; ECS and EKS hand out credentials in the same block. Azure's wire
            // server and Alibaba's service have addresses of their own.
            matches!(ip.octets(), [169, 254, ..] | [168, 63, 129, 16] | [100, 100, 100, 200] | [192, 0, 0, 192])
        }
        IpAddr::V6(ip) => {
            let s = ip.segments();
            // fd00:ec2::/32 (AWS), fd20:ce::254 (GCP), and link-local as a whole.
            (s[0] == 0xfd00 && s[1] == 0x0ec2) || (s[0] == 0xfd20 && s[1] == 0x00ce) || (s[0] & 0xffc0) == 0xfe80
        }
    }
}

/// Addresses that no server has: unspecified, multicast, broadcast.
fn is_nowhere(ip: IpAddr) -> bool {
    match unwrap_v4(ip) {
        IpAddr::V4(ip) => ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unspecified() || ip.is_multicast(),
    }
}

fn is_public(ip: IpAddr) -> bool {
    if is_metadata(ip) || is_nowhere(ip) {
        return false;
    }
    match unwrap_v4(ip) {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

/// The IPv4 address inside an IPv4-mapped or NAT64 address; any other address as it is.
fn unwrap_v4(ip: IpAddr) -> IpAddr {
    if let IpAddr::V6(v6) = ip
        && let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = v6.segments()
    {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        return IpAddr::V4(Ipv4Addr::new(a, b, c, d));
    }
    ip.to_canonical()
}

/// The special-purpose registry of IANA (RFC 6890 and later), minus what is globally reachable.
fn is_public_v4(ip: Ipv4Addr) -> bool {
    !matches!(
        ip.octets(),
        [0 | 10 | 127, ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [192, 168, ..]
            | [198, 18..=19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
            | [224..=255, ..]
    )
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        // Only 2000::/3 is handed out. In it: Teredo and other protocol blocks, documentation, 6to4.
        [0x2001, 0..=0x01ff, ..] | [0x2001, 0x0db8, ..] | [0x2002, ..] | [0x3fff, 0..=0x0fff, ..] => false,
        [first, ..] => (first & 0xe000) == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(permit: Permit, ip: &str) -> bool {
        allows(&Host::Name("some.example".into()), permit, ip.parse().unwrap())
    }

    #[test]
    fn public_origins_reach_public_addresses_only() {
        for ip in [
            "1.1.1.1",
            "8.8.8.8",
            "93.184.216.34",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "192.167.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.254",
            "2606:4700::1111",
            "2a00:1450:4001::1",
            "2400:cb00::1",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
        ] {
            assert!(may(Permit::Public, ip), "{ip} should be reachable");
        }
        for ip in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.0.0.53",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.0.1",
            "169.254.169.254",
            "169.254.170.2",
            "169.254.169.253",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "192.168.255.255",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0.0.0.0",
            "::127.0.0.1",
            "::10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b::a00:1",
            "64:ff9b:1::a00:1",
            "100::1",
            "2001::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fdff:ffff::1",
            "fe80::1",
            "fe80::a9fe:a9fe",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
            "4000::1",
            "e000::1",
        ] {
            assert!(!may(Permit::Public, ip), "{ip} should be refused");
        }
    }

    #[test]
    fn what_the_operator_declared_may_be_private_but_not_metadata() {
        for ip in ["127.0.0.1", "::1", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "fd00::1", "8.8.8.8"] {
            assert!(may(Permit::Declared, ip), "{ip} should be reachable");
        }
        for ip in [
            "169.254.169.254",
            "169.254.170.2",
            "::ffff:169.254.169.254",
            "fd00:ec2::254",
            "fe80::1",
            "168.63.129.16",
            "100.100.100.200",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
        ] {
            assert!(!may(Permit::Declared, ip), "{ip} should be refused");
        }
        let written: IpAddr = "169.254.169.254".parse().unwrap();
        assert!(allows(&Host::Ip(written), Permit::Declared, written), "written down as an address");
        assert!(!allows(&Host::Ip(written), Permit::Public, written));
    }

    #[test]
    fn names_that_mean_the_inside_are_refused_before_any_look_up() {
        let name = |text: &str| Host::Name(text.into());
        for text in ["localhost", "a.localhost", "printer.local", "db.internal", "metadata.google.internal"] {
            assert!(refuses_name(&name(text), Permit::Public), "{text}");
        }
        for text in ["localhost", "db.internal", "notlocalhost", "local.example"] {
            assert!(!refuses_name(&name(text), Permit::Declared), "{text}");
        }
        assert!(!refuses_name(&name("notlocalhost"), Permit::Public));
        assert!(refuses_name(&name("metadata.google.internal"), Permit::Declared));
    }
}
