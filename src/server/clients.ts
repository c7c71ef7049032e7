/** Who a client is, for limits on each of them. */

import { isIPv6, SocketAddress } from 'node:net';

/** Groups of an IPv6 address that name a network: whoever has one address of a /64 has all of them (RFC 6177). */
const NETWORK_GROUPS = 4;

/** An IPv4 address as it is, also where it is mapped into IPv6; of an IPv6 address the /64. */
export function clientOf(address: string): string {
  const [plain = ''] = address.split('%'); // without the zone of a link-local address
  if (!isIPv6(plain)) return address;
  const { address: canonical } = new SocketAddress({ address: plain, family: 'ipv6' });
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(canonical)?.[1];
  if (mapped !== undefined) return mapped;
  const [before = [], after = []] = canonical.split('::').map((part) => part.split(':').filter(Boolean));
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return `${[...before, ...zeros, ...after].slice(0, NETWORK_GROUPS).join(':')}::/64`;
}
