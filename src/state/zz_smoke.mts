import { create, fromJson } from '@bufbuild/protobuf';
import { encodeCommand } from '/work/main/src/api/command.ts';
import { StateMachine } from '/work/main/src/state/machine.ts';
import { MemoryStateStore } from '/work/main/src/state/memory_store.ts';
import { RangeRequestSchema } from '/work/main/src/api/gen/rpc_pb.ts';
import { utf8 } from '/work/main/src/lib/bytes.ts';
const store = new MemoryStateStore();
const m = new StateMachine(store);
let i=0;
const N=20000;
const datas:Uint8Array[]=[];
for(let k=0;k<N;k++) datas.push(encodeCommand({memberId:'a', epoch:1n, sequence:BigInt(k+1), request:{case:'put', value:{key:utf8('key/'+(k*7919%5000)), value:new Uint8Array(256)}}} as any));
const run2=()=>{for(let r=0;r<8;r++){ datas.length=0; for(let k=0;k<N;k++) datas.push(encodeCommand({memberId:'a', epoch:BigInt(r+2), sequence:BigInt(k+1), request:{case:'put', value:{key:utf8('key/'+(k*7919%5000)), value:new Uint8Array(256)}}} as any)); run();} for(let r=0;r<5;r++){const t=performance.now(); for(let k=0;k<N;k++) m.range(create(RangeRequestSchema,{key:utf8('key/'+(k*7919%5000))})); console.log('get us',(performance.now()-t)*1000/N)}};
const run=()=>{const t=performance.now(); let flushT=0;
for(const data of datas){ m.apply({index:++i, term:1, data}); if(m.needsFlush){const f=performance.now(); m.flush(); flushT+=performance.now()-f;} }
const e=performance.now()-t; console.log('put us', e*1000/N, 'of which flush', flushT*1000/N, 'rows', store.rowsWritten/N);}
run();run2();
console.log(m.revision, m.hashKv(0), m.status);
{const t=performance.now(); for(let k=0;k<N;k++) m.range(create(RangeRequestSchema,{key:utf8('key/'+(k*7919%5000))})); console.log('get us',(performance.now()-t)*1000/N)}
{const t=performance.now(); for(let k=0;k<200;k++) m.range(create(RangeRequestSchema,{key:utf8('key/'), rangeEnd:utf8('key0'), limit:100n})); console.log('range 100 us',(performance.now()-t)*1000/200)}
{const t=performance.now(); const r=m.range(create(RangeRequestSchema,{key:utf8('key/'), rangeEnd:utf8('key0'), revision: 7000n})); console.log('range all at 7000 ms',(performance.now()-t), r.kvs.length)}
m.flush();
const m2=new StateMachine(store); console.log(m2.hashKv(0), m2.hashKv(7000), m2.chain===m.chain, m.status);
