export { requireServer as default } from "@taskq/redis-servers";
