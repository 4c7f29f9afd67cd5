//! Says which internet addresses a plugin may be let out to: public ones, private ones by explicit grant, the rest never.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What kind of address one is, as far as plugins are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Anybody on the internet could be there.
    Public,
    /// Part of somebody's own network; reached only when a grant says `private = true`. The text names the range.
    Private(&'static str),
    /// No grant reaches it: metadata services, addresses that stand for others, and what is no single host.
    Never(&'static str),
}

/// Metadata services of clouds inside private ranges: they hand out credentials to whoever asks.
const METADATA: [IpAddr; 3] = [
    // Alibaba Cloud.
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    // Amazon.
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    // Google.
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// First address, length of the prefix, and what lies in it. The first row that fits decides.
const IPV4: [(Ipv4Addr, u32, Class); 16] = [
    row(0, 0, 0, 0, 8, Class::Never("unspecified")),
    row(10, 0, 0, 0, 8, Class::Private("private")),
    row(
        100,
        64,
        0,
        0,
        10,
        Class::Private("shared by a carrier (CGNAT)"),
    ),
    row(127, 0, 0, 0, 8, Class::Private("loopback")),
    row(
        169,
        254,
        0,
        0,
        16,
        Class::Never("link-local, where metadata services are"),
    ),
    row(172, 16, 0, 0, 12, Class::Private("private")),
    row(192, 0, 0, 0, 24, Class::Never("reserved")),
    row(192, 0, 2, 0, 24, Class::Never("for documentation")),
    row(192, 88, 99, 0, 24, Class::Never("a 6to4 relay")),
    row(192, 168, 0, 0, 16, Class::Private("private")),
    row(198, 18, 0, 0, 15, Class::Never("for benchmarks")),
    row(198, 51, 100, 0, 24, Class::Never("for documentation")),
    row(203, 0, 113, 0, 24, Class::Never("for documentation")),
    row(224, 0, 0, 0, 4, Class::Never("multicast")),
    row(255, 255, 255, 255, 32, Class::Never("broadcast")),
    row(240, 0, 0, 0, 4, Class::Never("reserved")),
];

const fn row(a: u8, b: u8, c: u8, d: u8, bits: u32, class: Class) -> (Ipv4Addr, u32, Class) {
    (Ipv4Addr::new(a, b, c, d), bits, class)
}

/// As for IPv4. What no row names is public within 2000::/3 and reserved outside it.
const IPV6: [(Ipv6Addr, u32, Class); 16] = [
    wide([0, 0, 0], 1, 128, Class::Private("loopback")),
    wide([0, 0, 0], 0, 128, Class::Never("unspecified")),
    (
        Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0),
        96,
        Class::Never("an IPv4 address in IPv6 form"),
    ),
    wide(
        [0, 0, 0],
        0,
        96,
        Class::Never("an IPv4 address in IPv6 form"),
    ),
    wide([0x64, 0xff9b, 0], 0, 96, Class::Never("translated (NAT64)")),
    wide([0x64, 0xff9b, 1], 0, 48, Class::Never("translated (NAT64)")),
    wide([0x100, 0, 0], 0, 64, Class::Never("discarded")),
    wide([0x2001, 0, 0], 0, 32, Class::Never("tunnelled (Teredo)")),
    wide([0x2001, 0, 0], 0, 23, Class::Never("reserved")),
    wide([0x2001, 0xdb8, 0], 0, 32, Class::Never("for documentation")),
    wide([0x2002, 0, 0], 0, 16, Class::Never("tunnelled (6to4)")),
    wide([0x3fff, 0, 0], 0, 20, Class::Never("for documentation")),
    wide([0xfc00, 0, 0], 0, 7, Class::Private("private (ULA)")),
    wide([0xfe80, 0, 0], 0, 10, Class::Never("link-local")),
    wide([0xfec0, 0, 0], 0, 10, Class::Never("site-local")),
    wide([0xff00, 0, 0], 0, 8, Class::Never("multicast")),
];

const fn wide(head: [u16; 3], last: u16, bits: u32, class: Class) -> (Ipv6Addr, u32, Class) {
    let [a, b, c] = head;
    (Ipv6Addr::new(a, b, c, 0, 0, 0, 0, last), bits, class)
}

/// The class of an address.
pub fn class(address: IpAddr) -> Class {
    if METADATA.contains(&address) {
        return Class::Never("a metadata service");
    }
    match address {
        IpAddr::V4(address) => {
            let found = IPV4
                .iter()
                .find(|(first, bits, _)| (address.to_bits() ^ first.to_bits()) >> (32 - bits) == 0);
            found.map_or(Class::Public, |row| row.2)
        }
        IpAddr::V6(address) => {
            let found = IPV6.iter().find(|(first, bits, _)| {
                (address.to_bits() ^ first.to_bits()) >> (128 - bits) == 0
            });
            let unnamed = if address.segments()[0] >> 13 == 1 {
                Class::Public
            } else {
                Class::Never("reserved")
            };
            found.map_or(unnamed, |row| row.2)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Class {
        class(text.parse().unwrap())
    }

    #[test]
    fn addresses_of_the_internet_are_public() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:200::1",
            "2400:3200::1",
            "2a00::",
        ] {
            assert_eq!(of(text), Class::Public, "{text}");
        }
    }

    #[test]
    fn addresses_of_ones_own_network_need_a_word_of_their_own() {
        for text in [
            "127.0.0.1",
            "127.255.255.255",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "::1",
            "fc00::1",
            "fdff::1",
        ] {
            assert!(matches!(of(text), Class::Private(_)), "{text}");
        }
    }

    #[test]
    fn what_is_no_single_host_or_stands_for_another_is_never_reached() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "100.100.100.200",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::2",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "3fff:fff::1",
            "4000::1",
            "5f00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "fd00:ec2::254",
            "fd20:ce::254",
        ] {
            assert!(matches!(of(text), Class::Never(_)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_ipv4_address_in_any_ipv6_form_is_never_reached(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            let [high, low] = [(bits >> 16) as u16, bits as u16];
            let forms = [
                v4.to_ipv6_mapped(),
                v4.to_ipv6_compatible(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
                Ipv6Addr::new(0x2001, 0, 1, 2, 3, 4, !high, !low),
            ];
            for form in forms {
                // ::1 is the compatible form of 0.0.0.1 and a loopback address by itself.
                prop_assert!(form == Ipv6Addr::LOCALHOST || matches!(class(form.into()), Class::Never(_)));
            }
        }

        #[test]
        fn what_the_standard_library_calls_local_is_not_public(bits: u32, wide: u128) {
            let v4 = Ipv4Addr::from_bits(bits);
            let local = v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_multicast()
                || v4.is_broadcast() || v4.is_documentation() || v4.is_unspecified();
            prop_assert!(!local || class(v4.into()) != Class::Public);
            let v6 = Ipv6Addr::from_bits(wide);
            let local = v6.is_loopback() || v6.is_unspecified() || v6.is_multicast()
                || v6.is_unique_local() || v6.is_unicast_link_local() || v6.to_ipv4_mapped().is_some();
            prop_assert!(!local || class(v6.into()) != Class::Public);
        }
    }
}
