import { createGateway } from './gateway/app.ts';

export { EtcdMember } from './member/member.ts';

export default createGateway();
