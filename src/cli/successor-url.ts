/** Whether a client may go where a frozen log sends it: the log's operator is trusted with entries, not with our network. */

import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { SteleError } from '../errors.ts';

/** Addresses that are not of the public Internet (RFC 6890 and its registries), loopback apart. */
const PRIVATE = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const) {
  PRIVATE.addSubnet(network, prefix, 'ipv4');
}
for (const [network, prefix] of [
  ['::', 128],
  ['64:ff9b:1::', 48],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const) {
  PRIVATE.addSubnet(network, prefix, 'ipv6');
}
const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/**
 * Throws `refused` unless `url` is https to public addresses; from a log on this very machine, to others on it, too.
 * `from` is where the frozen log is served.
 */
export async function checkSuccessorUrl(url: string, from: string): Promise<void> {
  const addresses = await addressesOf(url);
  const loopback = addresses.every((address) => isIn(LOOPBACK, address));
  if (loopback && (await addressesOf(from)).every((address) => isIn(LOOPBACK, address))) return;
  const refuse = (why: string): never => {
    throw new SteleError(
      'refused',
      `the log that follows is said to be at ${url}, ${why}: go there yourself if you trust it`,
    );
  };
  if (new URL(url).protocol !== 'https:') refuse('which is not https');
  for (const address of addresses) {
    if (isIn(LOOPBACK, address) || isIn(PRIVATE, address)) refuse(`which is ${address}, not a public address`);
  }
}

async function addressesOf(url: string): Promise<string[]> {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0) return [host];
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (cause) {
    throw new SteleError('unreachable', `${host} is not known: ${String(cause)}`, { cause });
  }
}

function isIn(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}
