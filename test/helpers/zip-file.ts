/** Zip files for tests, sound or with lies in their directory. Source: PKWARE's APPNOTE.TXT, sections 4.3.7 to 4.3.16. */
import { crc32, deflateRawSync } from "node:zlib";

export interface ZipMember {
  readonly name: string;
  readonly bytes: Buffer;
  readonly isStored?: boolean;
  readonly flags?: number;
  readonly claimedSize?: number;
  readonly claimedCrc?: number;
  readonly claimedMethod?: number;
  readonly claimedOffset?: number;
}

const NAMES_IN_UTF8 = 0x800;

export function zipFile(members: readonly ZipMember[]): Buffer {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const member of members) {
    const name = Buffer.from(member.name);
    const packed = member.isStored === true ? member.bytes : deflateRawSync(member.bytes);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(NAMES_IN_UTF8 | (member.flags ?? 0), 2);
    common.writeUInt16LE(member.claimedMethod ?? (member.isStored === true ? 0 : 8), 4);
    common.writeUInt32LE(member.claimedCrc ?? crc32(member.bytes), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(member.claimedSize ?? member.bytes.length, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), common, name, packed]);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(member.claimedOffset ?? offset, 10);
    directory.push(Buffer.concat([Buffer.from("PK\x01\x02"), Buffer.from([20, 0]), common, place, name]));
    files.push(local);
    offset += local.length;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(members.length, 4);
  end.writeUInt16LE(members.length, 6);
  end.writeUInt32LE(entries.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...files, entries, Buffer.from("PK\x05\x06"), end]);
}
