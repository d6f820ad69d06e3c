// Checks custom resources against their projects' own types. Objects come in as a JSON list; what is wrong goes out, one a
// line, and the kinds that nothing here knows as `unknown: KIND`.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const load = (path) => import(pathToFileURL(join(process.env.NODE_DIR, 'node_modules/@kubernetes-models', path, 'index.js')));
const models = {
  'monitoring.coreos.com/v1': await load('prometheus-operator/monitoring.coreos.com/v1'),
  'external-secrets.io/v1': await load('external-secrets/external-secrets.io/v1'),
};
for (const object of JSON.parse(readFileSync(0, 'utf8'))) {
  const model = models[object.apiVersion]?.[object.kind];
  if (!model) {
    console.log(`unknown: ${object.kind}`);
    continue;
  }
  try {
    new model(object).validate();
  } catch (error) {
    console.log(`${object.kind} ${object.metadata.name}: ${error.message}`);
  }
}
