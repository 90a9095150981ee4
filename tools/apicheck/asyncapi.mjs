// Parses asyncapi.json of a folder with AsyncAPI's own parser. Its schemas are laid out as they are served.
import { cpSync, mkdtempSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Parser } from '@asyncapi/parser';

const from = process.argv[2];
const served = mkdtempSync(join(tmpdir(), 'asyncapi-'));
mkdirSync(join(served, 'schemas'));
const publish = (folder) => {
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.v1.schema.json'))) {
    cpSync(join(folder, name), join(served, 'schemas', `care.footbridge.${name.replace('.schema.json', '.json')}`));
  }
};
publish(from);
publish(join(from, 'events'));
const source = join(served, 'asyncapi.json');
writeFileSync(source, readFileSync(join(from, 'asyncapi.json'), 'utf8').replaceAll('"/schemas/', '"./schemas/'));
const { diagnostics } = await new Parser().parse(readFileSync(source, 'utf8'), { source });
rmSync(served, { recursive: true });
// A newer version of the standard, which readers know less of, is no fault.
const wrong = diagnostics.filter((d) => d.severity <= 2 && d.code !== 'asyncapi-latest-version');
for (const d of wrong.slice(0, 20)) {
  console.error(`asyncapi.json: ${d.path.join('.')}: ${d.message}`);
}
process.exit(wrong.length > 0 ? 1 : 0);
