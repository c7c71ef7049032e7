/**
 * A file system in memory whose power can be cut, and whose calls can fail.
 *
 * It is as unhelpful as the contract of DirectoryFs allows: what was not flushed may be lost, name by name; and after a
 * flush that failed the kernel takes its pages for clean, so that the next flush succeeds and writes nothing. Names of
 * folders are written once more when another folder comes or goes beside them: a journal is written in order.
 */
import type { DirectoryFs, PathInfo, PathKind } from '../../src/store/index.ts';

interface File {
  readonly kind: 'file' | 'link';
  bytes: Uint8Array;
  durable: Uint8Array;
  dirty: boolean;
}

interface Folder {
  readonly kind: 'folder';
  readonly names: Map<string, Node>;
  durable: Map<string, Node>;
  readonly dirty: Set<string>;
  /** Names of folders that a failed flush has lost. */
  readonly lost: Set<string>;
}

type Node = File | Folder;

export interface Call {
  /** Name of the method. */
  readonly name: keyof DirectoryFs;
  /** The path it was given, or that the descriptor was opened with; of two, the new one. */
  readonly path: string;
}

export class PowerCut extends Error {}

function newFolder(): Folder {
  return { kind: 'folder', names: new Map(), durable: new Map(), dirty: new Set(), lost: new Set() };
}

function newFile(bytes: Uint8Array, durable: boolean, kind: File['kind'] = 'file'): File {
  return { kind, bytes, durable: durable ? bytes : new Uint8Array(bytes.length), dirty: !durable };
}

function failure(code: string, call: Call): Error {
  return Object.assign(new Error(`${code}: injected, ${call.name} '${call.path}'`), { code });
}

export class ModelFs implements DirectoryFs {
  readonly calls: Call[] = [];
  /** Asked before each call: an error code makes it fail without effect; `kept:CODE` with its effect. */
  fault: (call: Call, index: number) => string | undefined = () => undefined;
  /** Holds a call back before it has its effect, or after. */
  before: (call: Call) => Promise<void> | undefined = () => undefined;
  after: (call: Call) => Promise<void> | undefined = () => undefined;
  /** Calls after this many throw PowerCut. */
  powerUntil = Number.POSITIVE_INFINITY;
  /** Most bytes that one write takes. */
  writeAtMost = Number.POSITIVE_INFINITY;
  #root: Folder;
  #nextFd = 100;
  readonly #fds = new Map<number, { node: Node; path: string }>();

  constructor(root: Folder = newFolder()) {
    this.#root = root;
  }

  get openDescriptors(): number {
    return this.#fds.size;
  }

  /** Puts a file there, or a symbolic link, behind everybody's back. */
  plant(path: string, text: string, options: { name: boolean; content: boolean; kind?: 'file' | 'link' }): void {
    const parts = path.split('/').filter((part) => part !== '');
    let at = this.#root;
    for (const part of parts.slice(0, -1)) {
      let below = at.names.get(part);
      if (below === undefined) {
        below = newFolder();
        this.#name(at, part, below, options.name);
      }
      if (below.kind !== 'folder') {
        throw new Error(`${part} is no folder`);
      }
      at = below;
    }
    this.#name(
      at,
      parts.at(-1) ?? '',
      newFile(new TextEncoder().encode(text), options.content, options.kind),
      options.name,
    );
  }

  /** Text of every file below the path, by its path there. */
  files(path: string): Map<string, string> {
    const found = new Map<string, string>();
    const walk = (folder: Folder, prefix: string) => {
      for (const [name, node] of folder.names) {
        if (node.kind === 'folder') {
          walk(node, `${prefix}${name}/`);
        } else {
          found.set(prefix + name, new TextDecoder().decode(node.bytes));
        }
      }
    };
    const start = this.#find(path, { name: 'readFolder', path });
    if (start.kind === 'folder') {
      walk(start, '');
    }
    return found;
  }

  /** The same machine with another process on it: all that was written is there, durable or not. */
  restarted(): ModelFs {
    return new ModelFs(this.#root);
  }

  /** What is found when the power comes back. `keep` is asked of each thing not flushed whether it has survived. */
  afterPowerCut(keep: () => boolean): ModelFs {
    const copies = new Map<Node, Node>();
    const copy = (node: Node): Node => {
      const known = copies.get(node);
      if (known !== undefined) {
        return known;
      }
      if (node.kind !== 'folder') {
        const made = newFile(keep() ? node.bytes : node.durable, true, node.kind);
        copies.set(node, made);
        return made;
      }
      const made = newFolder();
      copies.set(node, made);
      for (const name of new Set([...node.names.keys(), ...node.durable.keys()])) {
        const left = (node.dirty.has(name) && keep() ? node.names : node.durable).get(name);
        if (left !== undefined) {
          const copied = copy(left);
          made.names.set(name, copied);
          made.durable.set(name, copied);
        }
      }
      return made;
    };
    return new ModelFs(copy(this.#root) as Folder);
  }

  createFile(path: string): Promise<number> {
    return this.#call({ name: 'createFile', path }, (call) => {
      const { folder, name } = this.#parent(path, call);
      if (folder.names.has(name)) {
        throw failure('EEXIST', call);
      }
      this.#name(folder, name, newFile(new Uint8Array(), true), false);
      return this.#open(path, call);
    });
  }

  /** Written to, it is as `write` has it: who writes directly does so before anything else is in the file. */
  openDirect(path: string): Promise<number> {
    return this.#call({ name: 'openDirect', path }, (call) => this.#open(path, call));
  }

  openFile(path: string): Promise<number> {
    return this.#call({ name: 'openFile', path }, (call) => {
      if (this.#find(path, call).kind === 'link') {
        throw failure('ELOOP', call);
      }
      return this.#open(path, call);
    });
  }

  openFolder(path: string): Promise<number> {
    return this.#call({ name: 'openFolder', path }, (call) => {
      if (this.#find(path, call).kind !== 'folder') {
        throw failure('ENOTDIR', call);
      }
      return this.#open(path, call);
    });
  }

  info(fd: number): Promise<PathInfo> {
    return this.#onOpen('info', fd, (node) => describe(node));
  }

  pathInfo(path: string): Promise<PathInfo> {
    return this.#call({ name: 'pathInfo', path }, (call) => describe(this.#find(path, call)));
  }

  read(fd: number, into: Uint8Array, position: number): Promise<number> {
    return this.#onOpen('read', fd, (node, call) => {
      if (node.kind !== 'file') {
        throw failure('EISDIR', call);
      }
      const some = node.bytes.subarray(position, position + into.length);
      into.set(some);
      return some.length;
    });
  }

  write(fd: number, pieces: readonly Uint8Array[]): Promise<number> {
    return this.#onOpen('write', fd, (node, call) => {
      if (node.kind !== 'file') {
        throw failure('EBADF', call);
      }
      const all = Buffer.concat(pieces).subarray(0, this.writeAtMost);
      node.bytes = new Uint8Array(Buffer.concat([node.bytes, all]));
      node.dirty = true;
      return all.length;
    });
  }

  flushFile(fd: number): Promise<void> {
    const flush = (node: Node, succeeds: boolean) => {
      if (node.kind === 'file' && node.dirty) {
        node.durable = succeeds ? node.bytes : node.durable;
        node.dirty = false;
      }
    };
    return this.#onOpen(
      'flushFile',
      fd,
      (node) => flush(node, true),
      (node) => flush(node, false),
    );
  }

  flushFolder(fd: number): Promise<void> {
    const flush = (node: Node, succeeds: boolean) => {
      if (node.kind === 'folder') {
        for (const name of succeeds ? node.dirty : []) {
          const now = node.names.get(name);
          if (now === undefined) {
            node.durable.delete(name);
          } else {
            node.durable.set(name, now);
          }
        }
        for (const name of node.dirty) {
          if (!succeeds && node.names.get(name)?.kind === 'folder') {
            node.lost.add(name);
          }
        }
        node.dirty.clear();
      }
    };
    return this.#onOpen(
      'flushFolder',
      fd,
      (node) => flush(node, true),
      (node) => flush(node, false),
    );
  }

  close(fd: number): Promise<void> {
    return this.#onOpen('close', fd, () => {
      this.#fds.delete(fd);
    });
  }

  link(from: string, to: string): Promise<void> {
    return this.#call({ name: 'link', path: to }, (call) => {
      const node = this.#find(from, call);
      const { folder, name } = this.#parent(to, call);
      if (folder.names.has(name)) {
        throw failure('EEXIST', call);
      }
      this.#name(folder, name, node, false);
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.#call({ name: 'rename', path: to }, (call) => {
      const node = this.#find(from, call);
      const source = this.#parent(from, call);
      const target = this.#parent(to, call);
      this.#name(target.folder, target.name, node, false);
      this.#name(source.folder, source.name, undefined, false);
    });
  }

  unlink(path: string): Promise<void> {
    return this.#call({ name: 'unlink', path }, (call) => {
      if (this.#find(path, call).kind === 'folder') {
        throw failure('EISDIR', call);
      }
      const { folder, name } = this.#parent(path, call);
      this.#name(folder, name, undefined, false);
    });
  }

  makeFolder(path: string): Promise<void> {
    return this.#call({ name: 'makeFolder', path }, (call) => {
      const { folder, name } = this.#parent(path, call);
      if (folder.names.has(name)) {
        throw failure('EEXIST', call);
      }
      this.#name(folder, name, newFolder(), false);
    });
  }

  removeFolder(path: string): Promise<void> {
    return this.#call({ name: 'removeFolder', path }, (call) => {
      const node = this.#find(path, call);
      if (node.kind !== 'folder') {
        throw failure('ENOTDIR', call);
      }
      if (node.names.size > 0) {
        throw failure('ENOTEMPTY', call);
      }
      const { folder, name } = this.#parent(path, call);
      this.#name(folder, name, undefined, false);
    });
  }

  readFolder(path: string): Promise<{ name: string; kind: PathKind }[]> {
    return this.#call({ name: 'readFolder', path }, (call) => {
      const node = this.#find(path, call);
      if (node.kind !== 'folder') {
        throw failure('ENOTDIR', call);
      }
      return Array.from(node.names, ([name, { kind }]) => ({ name, kind }));
    });
  }

  /** One call: another turn of the event loop, so that calls overlap; then the fault, or the effect. */
  async #call<T>(call: Call, act: (call: Call) => T, onFault: () => void = () => undefined): Promise<T> {
    await new Promise((resolve) => setImmediate(resolve));
    const index = this.calls.length;
    if (index >= this.powerUntil) {
      throw new PowerCut();
    }
    this.calls.push(call);
    const fault = this.fault(call, index);
    await this.before(call);
    if (fault === undefined) {
      const result = act(call);
      await this.after(call);
      return result;
    }
    if (fault.startsWith('kept:')) {
      act(call);
      throw failure(fault.slice('kept:'.length), call);
    }
    onFault();
    throw failure(fault, call);
  }

  #onOpen<T>(
    name: keyof DirectoryFs,
    fd: number,
    act: (node: Node, call: Call) => T,
    onFault: (node: Node) => void = () => undefined,
  ): Promise<T> {
    const open = this.#fds.get(fd);
    const call = { name, path: open?.path ?? `descriptor ${fd}` };
    const node = () => {
      if (open === undefined || !this.#fds.has(fd)) {
        throw failure('EBADF', call);
      }
      return open.node;
    };
    return this.#call(
      call,
      () => act(node(), call),
      () => onFault(node()),
    );
  }

  #open(path: string, call: Call): number {
    const fd = this.#nextFd++;
    this.#fds.set(fd, { node: this.#find(path, call), path });
    return fd;
  }

  #name(folder: Folder, name: string, node: Node | undefined, durable: boolean): void {
    if ((node ?? folder.names.get(name))?.kind === 'folder') {
      for (const lost of folder.lost) {
        folder.dirty.add(lost);
      }
      folder.lost.clear();
    }
    if (node === undefined) {
      folder.names.delete(name);
    } else {
      folder.names.set(name, node);
    }
    if (durable && node !== undefined) {
      folder.durable.set(name, node);
    } else {
      folder.dirty.add(name);
    }
  }

  #find(path: string, call: Call): Node {
    let at: Node = this.#root;
    for (const part of path.split('/').filter((some) => some !== '')) {
      if (at.kind !== 'folder') {
        throw failure('ENOTDIR', call);
      }
      const below: Node | undefined = at.names.get(part);
      if (below === undefined) {
        throw failure('ENOENT', call);
      }
      at = below;
    }
    return at;
  }

  #parent(path: string, call: Call): { folder: Folder; name: string } {
    const cut = path.lastIndexOf('/');
    const folder = this.#find(path.slice(0, cut), call);
    if (folder.kind !== 'folder') {
      throw failure('ENOTDIR', call);
    }
    return { folder, name: path.slice(cut + 1) };
  }
}

function describe(node: Node): PathInfo {
  return { kind: node.kind, size: node.kind === 'folder' ? 0 : node.bytes.length, modified: Date.now() };
}
