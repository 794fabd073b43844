// Preloaded by stacks/node.py into cdktf's Node process. The provider package's index.js requires all of its 2,200
// modules, 100 MB of JavaScript, of which a stack uses two dozen: here each of them is loaded when something of it is
// first asked for. If the package is laid out in another way one day, nothing matches and all is loaded as before.
"use strict";

const Module = require("node:module");

const INDEX = /[\\/]provider-aws[\\/](?:.*[\\/])?lib[\\/]index\.js$/;
const eager = Module.prototype.require;

/** Stands for what `load` returns, and calls it when a property is first looked at. */
function lazily(load) {
  let loaded;
  const exported = () => (loaded ??= load());
  return new Proxy(
    {},
    {
      get: (_, name) => exported()[name],
      has: (_, name) => name in exported(),
      ownKeys: () => Reflect.ownKeys(exported()),
      getOwnPropertyDescriptor(_, name) {
        const found = Reflect.getOwnPropertyDescriptor(exported(), name);
        return found && { ...found, configurable: true };
      },
    },
  );
}

Module.prototype.require = function (id) {
  if (id.startsWith("./") && this.filename && INDEX.test(this.filename)) {
    return lazily(() => eager.call(this, id));
  }
  return eager.call(this, id);
};
