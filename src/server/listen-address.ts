/** Where to listen: `127.0.0.1:8080`, `[::1]:8080`, `localhost:0`. */

import type { FastifyInstance } from 'fastify';
import { SteleError } from '../errors.ts';

export interface ListenAddress {
  /** An address or a host name, without brackets. */
  readonly host: string;
  /** 0 to 65535; 0 lets the system choose. */
  readonly port: number;
}

/** Throws `config`. */
export function parseListenAddress(text: string): ListenAddress {
  const [, bracketed, plain, digits] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || port > 65_535) {
    throw new SteleError(
      'config',
      `listen address "${text}": expected HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080`,
    );
  }
  return { host, port };
}

/** Whether only this machine can connect. Other names than `localhost` may resolve to anything. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

/** Listens; resolves to the URL, with the port that was really taken. Throws `config` where it cannot, and closes. */
export async function listenOn(
  app: FastifyInstance,
  address: ListenAddress,
  close: () => Promise<void>,
): Promise<string> {
  try {
    return `${await app.listen({ host: address.host, port: address.port })}/`;
  } catch (cause) {
    await close();
    throw new SteleError('config', `cannot listen on ${formatListenAddress(address)}: ${String(cause)}`, { cause });
  }
}

export function formatListenAddress({ host, port }: ListenAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
